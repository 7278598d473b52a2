"""What is tried with a layer, one question a file."""
