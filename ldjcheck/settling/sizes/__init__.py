"""Copies of a layer that are made for other sizes than its own."""
