"""How far right numbers may be apart, and when a matrix has lost rank."""
