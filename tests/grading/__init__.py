"""Tests of `ldjcheck grade`: a made class, right, wrong, broken, hanging and hostile."""
