"""Search: one interface, answered by MySQL's full text or by Elasticsearch."""
