"""Promises of a call that are broken, whatever the number is."""
