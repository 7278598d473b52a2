"""The way back: where it leads, and what it says."""
