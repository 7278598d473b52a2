"""Transforms of `torch.distributions`, and what makes them."""
