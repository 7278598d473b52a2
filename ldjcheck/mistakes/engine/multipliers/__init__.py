"""What a term must be multiplied by: counts, numbers, and how they grow with size."""
