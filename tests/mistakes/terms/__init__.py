"""Steps and their terms."""
