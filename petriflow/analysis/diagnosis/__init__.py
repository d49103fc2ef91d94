"""Why a fault happens, in the words of the workflow, and what to do about it."""
