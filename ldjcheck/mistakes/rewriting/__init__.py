"""Edits of the user's source: where one may stand, and how it is written."""
