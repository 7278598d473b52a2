"""Layers that draw: their log-determinant given the draw, or in expectation."""
