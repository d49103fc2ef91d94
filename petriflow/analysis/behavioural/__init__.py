"""What a net can do: bounds, deadlocks, liveness, coverability."""
