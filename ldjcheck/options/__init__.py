"""What a check is asked for: by keywords of Python, and by the settings of a project."""
