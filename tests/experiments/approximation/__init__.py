"""Layers that approximate."""
