"""Tests of the rules, and of the statuses that they lead to."""
