"""n-gram models."""
