"""Who may call the catalog: callers, the things they act on, and the table of answers."""
