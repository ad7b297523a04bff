"""Data sets: rows with a schema, a fixed split, a fingerprint, a source and a licence."""
