"""Logging in, staying in, and getting out."""
