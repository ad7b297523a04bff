"""The space of rows: variables, schemas, and the forms in which people hold data."""
