"""Mixtures of products."""
