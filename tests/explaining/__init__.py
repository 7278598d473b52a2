"""Whole flows: their sublayers, and models."""
