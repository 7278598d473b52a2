"""Directions along which particles move while their centre of mass stays where it is."""

import math

import torch
from torch import Tensor


def as_a_whole(event: torch.Size) -> Tensor:
    """Return the directions along which all particles move alike, orthonormal columns."""
    particles, dims = event
    one: Tensor = torch.eye(dims, dtype=torch.float64) / math.sqrt(particles)
    return one.repeat(particles, 1)


def beside_the_whole(event: torch.Size) -> Tensor:
    """Return all directions that leave the centre where it is, orthonormal columns."""
    moved = as_a_whole(event)
    every: Tensor = torch.linalg.qr(moved, mode="complete").Q
    return every[:, moved.shape[1] :]
