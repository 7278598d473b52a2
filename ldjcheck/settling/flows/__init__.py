"""Flows as compositions: whether a layer is one, its sublayers, and dims that leave it."""
