"""The oracles of both directions at once, one a file, and the order they are asked in."""
