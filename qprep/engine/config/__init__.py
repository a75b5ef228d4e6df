"""Settings: the file, its schema, and what holds for each source file."""
