"""What explains a wrong ldj, worked out on its tape: no register, no mistake by name."""
