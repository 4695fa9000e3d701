"""Every SELECT, row lock and hand-written statement of the catalog, as functions."""
