"""What a layer's own facts suggest of its shapes and contexts."""
