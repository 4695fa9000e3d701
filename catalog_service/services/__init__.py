"""The catalog's use cases."""
