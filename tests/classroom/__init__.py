"""Tests of the zoo, of `demo` and of `selftest`."""
