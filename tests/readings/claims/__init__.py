"""What the number is said to be, or in which form."""
