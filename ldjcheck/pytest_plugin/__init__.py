"""The pytest plugin: what is hooked in. Silent, and almost free, unless it is used.

Nothing here loads torch, numpy or hypothesis; what a session needs is imported by the
hook that needs it.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ldjcheck.pytest_plugin.fixture import Ldj

_SUMMARY = "ldjcheck_summary"  # the name under which the session's collector is kept


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be typed, and what can stand in a configuration file."""
    group = parser.getgroup("ldjcheck", "log-determinants of normalizing flows")
    group.addoption(
        "--ldj-seed",
        type=int,
        metavar="N",
        help="where all randomness of the checks comes from (ini ldj_seed, else 0)",
    )
    group.addoption(
        "--ldj-report",
        type=Path,
        metavar="FILE.json",
        help="write all checks of the session to a file, as `ldjcheck --format json`",
    )
    parser.addini("ldj_seed", "seed of all checks", default="0")
    parser.addini(
        "ldj_targets",
        "layers to check besides the tests, as `ldjcheck TARGET` takes them",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check the settings, and listen to results where they come together."""
    from ldjcheck.pytest_plugin.settings import check_settings, find_targets

    config.addinivalue_line(
        "markers",
        "ldj(shape=..., seed=..., expected=..., ...): options of the checks that a test "
        "makes with the fixture ldj, as ldjcheck.check takes them",
    )
    check_settings(config)
    if not hasattr(config, "workerinput"):  # results come together in one process
        from ldjcheck.pytest_plugin.summary import Summary

        find_targets(config)
        config.pluginmanager.register(Summary(config), _SUMMARY)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the version and settings where some were given."""
    from ldjcheck.pytest_plugin.settings import header, is_configured

    return header(config) if is_configured(config) else None


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> str | None:
    """Return the same where tests use ldjcheck by themselves."""
    from ldjcheck.pytest_plugin.settings import header, is_configured, uses_ldjcheck

    is_wanted = not is_configured(config) and any(map(uses_ldjcheck, items))
    return header(config) if is_wanted else None


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Return the targets that the configuration file lists, as its tests."""
    config = parent.config
    if file_path != config.inipath or not config.getini("ldj_targets"):
        return None
    from ldjcheck.pytest_plugin.targets import TargetsFile

    return TargetsFile.from_parent(parent, path=file_path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hear of every check that the test makes, from generators that start alike."""
    from ldjcheck.pytest_plugin.recording import hearing
    from ldjcheck.pytest_plugin.seeding import seeded
    from ldjcheck.pytest_plugin.settings import needs_seeding, seed_of

    seeds = seeded(seed_of(item.config)) if needs_seeding(item) else nullcontext()
    with seeds, hearing(item):
        yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Hand what was heard to the report of the test, which crosses processes."""
    from ldjcheck.pytest_plugin.recording import hand_on

    hand_on(item)
    yield


@pytest.fixture
def ldj(request: pytest.FixtureRequest) -> Ldj:
    """Check layers with the settings of the session and of the test's marks.

    `ldj.check(layer)` returns a report, `ldj.assert_ok(layer)` raises a mistake.
    """
    from ldjcheck.marking import marked, session_options
    from ldjcheck.pytest_plugin.fixture import Ldj

    options: dict[str, Any] = {**session_options(request.node), **marked(request.node)}
    return Ldj(options)
