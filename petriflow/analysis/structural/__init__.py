"""What can be said of a net without playing it."""
