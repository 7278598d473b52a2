"""What a test's surroundings say about its checks: marks, and the session's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.testing.keywords import has_words, unknown_keyword

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
        if not has_words(mark.kwargs.get("allow_unproven", "none is wanted")):
            wrong = "allow_unproven needs a reason, such as 'identity by design'"
        if wrong is not None:
            pytest.fail(f"marker ldj: {wrong}", pytrace=False)
        options.update(mark.kwargs)
    return options


def session_options(node: pytest.Item) -> dict[str, Any]:
    """Return what holds for all checks: the project's settings, and the session's seed."""
    return {**project_options(node.config), "seed": session_seed(node.config)}


def session_seed(config: pytest.Config) -> int:
    """Return the seed: as typed, else that of the ini file, else of the project, else 0."""
    given = getattr(config.option, "ldj_seed", None)
    if given is None:
        try:
            given = config.getini("ldj_seed")
        except (KeyError, ValueError):  # the plugin is switched off
            given = ""
    return int(given) if given != "" else project_options(config).get("seed", 0)


def project_options(config: pytest.Config) -> dict[str, Any]:
    """Return what `[tool.ldjcheck]` says of all checks, by the keywords of a check.

    Raises:
        pytest.UsageError: it cannot be read.
    """
    import pytest

    from ldjcheck.options.project import find_table, keywords_of

    try:
        found = find_table(config.rootpath)
        if found is None:
            return {}
        path, table = found
        try:
            return keywords_of(table)
        except ValueError as error:
            raise ValueError(f"{path}: [tool.ldjcheck] {error}") from None
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
