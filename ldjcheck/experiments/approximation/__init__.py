"""Layers that approximate, and how finely they step."""
