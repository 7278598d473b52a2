"""What earlier calls leave behind."""
