"""Models and samplers."""
