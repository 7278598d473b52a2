"""Where in the user's source an operation stands, and which statement to point at."""
