"""Tests of the other ways of calling."""
