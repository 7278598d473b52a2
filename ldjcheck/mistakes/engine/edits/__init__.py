"""Edits of the ldj's arithmetic, or of its steps, with which every number agrees."""
