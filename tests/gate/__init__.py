"""What every known layer is told, word for word: a step that moves code changes none of it."""
