"""A flash sale against the running shop: many buyers, few units, and the proof afterwards."""
