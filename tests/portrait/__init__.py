"""What is kept of a check so that it can be drawn."""
