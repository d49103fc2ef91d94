"""Is a workflow net sound? The ladder of methods, its reports and their certificates."""
