"""What a check is asked for: by keywords of Python, the settings of a project, and comments."""
