"""Tests of the numerics: how far right numbers may be apart."""
