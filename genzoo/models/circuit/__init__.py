"""Probabilistic circuits over hidden trees."""
