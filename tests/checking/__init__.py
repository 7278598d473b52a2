"""Laws of whole checks."""
