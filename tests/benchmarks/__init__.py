"""Measurements of what a check costs."""
