"""Tests of the experiments: what a layer does over several calls."""
