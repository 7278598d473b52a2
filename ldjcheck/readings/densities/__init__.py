"""The densities of a flow, beside its call."""
