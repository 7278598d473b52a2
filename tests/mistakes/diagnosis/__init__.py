"""Tests of the diagnosis: which mistake it is, and on which line."""
