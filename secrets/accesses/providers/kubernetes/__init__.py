"""Secrets of another cluster, or of another namespace."""
