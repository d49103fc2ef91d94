"""Questions about markings and ways in the language CTL."""
