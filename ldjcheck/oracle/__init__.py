"""What is true of a map: its exact log|det J|, and how far that number can be trusted."""
