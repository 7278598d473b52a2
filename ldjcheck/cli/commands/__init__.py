"""The commands, one a file; `ldjcheck.cli.group` holds them in their order."""
