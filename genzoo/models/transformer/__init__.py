"""A decoder-only transformer."""
