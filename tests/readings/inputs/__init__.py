"""What a layer is fed with."""
