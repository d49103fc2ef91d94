"""State spaces: all markings, in plain Python or compiled, or those of stubborn sets."""
