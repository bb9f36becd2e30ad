"""Figures, from real servers: `make bench`."""
