"""The families at their defaults beside published results: scores, records and tables."""
