"""Counts of dims, channels and samples."""
