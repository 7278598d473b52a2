"""What the user's code stands in: Python files, modules and notebooks."""
