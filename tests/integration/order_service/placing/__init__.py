"""POST /api/orders: one key, one order, whatever happens in between."""
