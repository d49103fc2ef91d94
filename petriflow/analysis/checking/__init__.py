"""Certificates checked again; nothing of it is shared with the methods that found them."""
