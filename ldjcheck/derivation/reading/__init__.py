"""What ran, read beside its source: lines, names, operands, and who hands an ldj back."""
