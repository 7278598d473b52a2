"""Tests of the readings of a layer."""
