"""Terms of a likelihood that stand in an ldj."""
