"""Promises that every schema of every service keeps."""
