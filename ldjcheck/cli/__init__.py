"""The command line: a face, with no logic of its own about flows."""

from ldjcheck.cli.group import main

__all__ = ["main"]
