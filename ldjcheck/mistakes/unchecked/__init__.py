"""What kept a layer from being checked."""
