"""Whole models as people write them, right and wrong: what a release hangs on."""
