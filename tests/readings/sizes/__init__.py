"""At which sizes a verdict holds."""
