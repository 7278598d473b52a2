"""Tests of running: what a layer is guarded from, what is seen through, and put back."""
