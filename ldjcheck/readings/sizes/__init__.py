"""At which sizes a verdict holds: those that are meant, that are given, that are small."""
