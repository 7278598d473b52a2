"""Terms that are counted too often, or not often enough."""
