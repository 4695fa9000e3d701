"""Every SELECT, row lock and hand-written INSERT of orders_db, as functions."""
