"""Transforms in the manner of torch.distributions."""
