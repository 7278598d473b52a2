"""How a layer is meant, where it disagrees as it was read first."""
