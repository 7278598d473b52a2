"""What a layer does over several calls, beside its numbers."""
