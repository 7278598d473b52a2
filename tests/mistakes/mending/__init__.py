"""Tests of the edits that ldjcheck offers."""
