"""Deriving the ldj of a map: a term for each step, in the names of its source."""
