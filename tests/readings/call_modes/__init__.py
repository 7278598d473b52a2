"""How else a layer is called."""
