"""What was handed in, and what is kept of it on disk."""
