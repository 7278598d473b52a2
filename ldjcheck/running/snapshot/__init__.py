"""Copies of a layer and of what surrounds it, and what changed since."""
