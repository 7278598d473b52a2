"""Tests of what a check is asked for."""
