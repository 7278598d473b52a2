"""A check as a test: what raises, what is marked, and what is expected to be wrong."""
