"""Products from CSV files: the format, reading it, and the durable jobs that carry it out."""
