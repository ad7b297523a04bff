"""A run's records as typed objects, what was found in them, and how sure it is."""
