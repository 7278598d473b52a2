"""The targets of one call of ldjcheck, each in a process of its own."""
