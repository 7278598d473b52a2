"""Tests of the calling conventions."""
