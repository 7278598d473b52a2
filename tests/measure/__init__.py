"""Tests of the measuring: the oracle, the guard, and what is put back."""
