"""Log-densities on a tape: their terms, their mass, and what a model leaves out."""
