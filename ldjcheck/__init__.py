"""Verify, debug and teach the log-determinants of normalizing flows.

Importing this package is free: torch is loaded by the first call that needs it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldjcheck.api import check, derive, exact_ldj
    from ldjcheck.monitoring import Monitor
    from ldjcheck.monitoring.listeners import Look
    from ldjcheck.report import Report
    from ldjcheck.testing.assertion import (
        LdjError,
        LdjMismatch,
        LdjUnproven,
        assert_ldj,
    )
    from ldjcheck.testing.parametrizing import parametrize

__version__ = "0.1.0"

__all__ = [
    "LdjError", "LdjMismatch", "LdjUnproven", "Look", "Monitor", "Report",
    "__version__", "assert_ldj", "check", "derive", "exact_ldj", "parametrize",
]  # fmt: skip

_HOMES = {
    "assert_ldj": "ldjcheck.testing.assertion",
    "check": "ldjcheck.api",
    "derive": "ldjcheck.api",
    "exact_ldj": "ldjcheck.api",
    "parametrize": "ldjcheck.testing.parametrizing",
    "LdjError": "ldjcheck.testing.assertion",
    "LdjMismatch": "ldjcheck.testing.assertion",
    "LdjUnproven": "ldjcheck.testing.assertion",
    "Look": "ldjcheck.monitoring.listeners",
    "Monitor": "ldjcheck.monitoring",
    "Report": "ldjcheck.report",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def load_ipython_extension(shell: object) -> None:
    """Add `%ldjcheck Layer --shape 5` to IPython, for `%load_ext ldjcheck`."""
    from ldjcheck.cli.magic import load

    load(shell)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
