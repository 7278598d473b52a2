"""Tests of the tape: what is recorded of a call, and how it is run again."""
