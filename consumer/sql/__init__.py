"""SQL by name."""
