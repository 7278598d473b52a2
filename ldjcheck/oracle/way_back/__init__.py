"""What is true of a map and its way back: which input an output came from, if one did."""
