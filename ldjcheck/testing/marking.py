"""What a test's surroundings say about its checks: marks, and the session's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.testing.keywords import unknown_keyword

if TYPE_CHECKING:
    import pytest


def marked(node: pytest.Item) -> dict[str, Any]:
    """Return the options of the marks `ldj` of a test; the closest mark wins.

    A mark with an option that does not exist fails the test, and says so.
    """
    import pytest

    options: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("ldj"))):
        wrong = unknown_keyword(mark.kwargs, "allow_unproven", "expected")
        if mark.args:
            wrong = f"it takes keywords only, as in shape={mark.args[0]!r}"
        if wrong is not None:
            pytest.fail(f"marker ldj: {wrong}", pytrace=False)
        options.update(mark.kwargs)
    return options


def session_options(node: pytest.Item) -> dict[str, Any]:
    """Return what the session says for all checks: its seed; nothing without the plugin."""
    seed = getattr(node.config.option, "ldj_seed", None)
    if seed is None:
        try:
            seed = node.config.getini("ldj_seed")
        except (KeyError, ValueError):  # the plugin is switched off
            return {}
    return {"seed": int(seed)}
