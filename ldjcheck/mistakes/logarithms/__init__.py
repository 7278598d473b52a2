"""Logarithms: their sign, their base, what stands in them, and whether one is taken."""
