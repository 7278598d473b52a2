"""Logarithms, and what stands in them."""
