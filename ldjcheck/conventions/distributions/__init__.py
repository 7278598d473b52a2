"""Calls that return a density: models, and samplers."""
