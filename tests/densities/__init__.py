"""Tests of log-densities that are written out."""
