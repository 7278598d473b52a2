"""What a call promises."""
