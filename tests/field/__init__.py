"""Tests on layers of other people's libraries."""
