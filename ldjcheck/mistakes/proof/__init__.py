"""What is left open, and why."""
