"""What is watched while a layer runs, one thing a file."""
