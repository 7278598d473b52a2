"""The environment of a person at a terminal, whoever runs the tests."""

from __future__ import annotations

import os

# pytest cuts no line of its summary where one of these is set; documents show cut ones.
SET_BY_CI_SERVERS = ("CI", "BUILD_NUMBER")


def terminal(**settings: str) -> dict[str, str]:
    """Return this process's environment as at a terminal of 80 columns."""
    inherited = {k: v for k, v in os.environ.items() if k not in SET_BY_CI_SERVERS}
    return {**inherited, "COLUMNS": "80", **settings}
