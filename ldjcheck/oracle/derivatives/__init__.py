"""Derivatives of a map: its dense Jacobian, and products with it that need no Jacobian."""
