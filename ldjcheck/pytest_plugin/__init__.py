"""The pytest plugin: what is hooked in. Silent, and almost free, unless it is used.

Nothing here loads torch, numpy or hypothesis; what a session needs is imported by the
hook that needs it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
import pytest

if TYPE_CHECKING:
    from ldjcheck.pytest_plugin.fixture import Ldj
    from ldjcheck.pytest_plugin.summary import Summary


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be typed, and what can stand in a configuration file."""
    group = parser.getgroup("ldjcheck", "log-determinants of normalizing flows")
    group.addoption(
        "--ldj-seed",
        type=int,
        metavar="N",
        help="where all randomness of the checks comes from (ini ldj_seed)",
    )
    group.addoption(
        "--ldj-report",
        type=Path,
        metavar="FILE.json",
        help="write all checks of the session to a file, as `ldjcheck --format json`",
    )
    # Since 8.4 pytest knows numbers, which its own TOML asks for.
    numbers: dict[str, Any] = {"type": "int"} if pytest.version_tuple >= (8, 4) else {}
    parser.addini(
        "ldj_seed",
        "seed of all checks (that of [tool.ldjcheck])",
        default="",
        **numbers,
    )
    parser.addini(
        "ldj_targets",
        "layers to check besides the tests, as `ldjcheck TARGET` takes them",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check the settings, and listen to results where they come together."""
    config.addinivalue_line(
        "markers",
        "ldj(shape=..., seed=..., expected=..., ...): options of the checks that a test "
        "makes with the fixture ldj, as ldjcheck.check takes them",
    )
    if _is_configured(config):
        from ldjcheck.pytest_plugin.settings import check_settings, find_targets

        check_settings(config)
        find_targets(config)
    if not _is_worker(config):  # results come together in one process
        config.pluginmanager.register(_Results(config), "ldjcheck_results")


def _is_worker(config: pytest.Config) -> bool:
    """Return whether this process only runs tests for another, under pytest-xdist."""
    return hasattr(config, "workerinput")


def _is_configured(config: pytest.Config) -> bool:
    """Return whether the session was told something about ldjcheck.

    Raises:
        pytest.UsageError: the seed in the configuration is no number.
    """
    try:
        seed = config.getini("ldj_seed")
    except (TypeError, ValueError, pytest.UsageError) as error:
        told = f"ini ldj_seed takes a whole number: {error}"
        raise pytest.UsageError(told) from None
    typed = (config.getoption("ldj_seed"), config.getoption("ldj_report"))
    return (
        any(each is not None for each in typed)
        or seed != ""
        or bool(config.getini("ldj_targets"))
    )


class _Results:
    """Passes results on to what sums them up, which is loaded for the first one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.summary: Summary | None = None
        self.unwritten: OSError | None = None

    def _summed_up(self) -> Summary:
        from ldjcheck.pytest_plugin.summary import Summary

        self.summary = self.summary or Summary(self.config)
        return self.summary

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take our results out of a report, so that others need not print them."""
        if any(name == "ldjcheck" for name, _ in report.user_properties):
            self._summed_up().take(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report file, if one is wanted and something was run.

        Where that fails the session does, too, which still has its results to show.
        """
        path = self.config.getoption("ldj_report")
        if path is None or self.config.option.collectonly:
            return
        try:
            self._summed_up().write(self.config.invocation_params.dir / path)
        except OSError as error:
            self.unwritten = error
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Print how many layers came out how, and what was found where."""
        if self.summary is not None and self.summary.told:
            terminalreporter.section("ldjcheck")
            for line in self.summary.lines():
                terminalreporter.line(line)
        if self.unwritten is not None:
            terminalreporter.line(f"ERROR: --ldj-report: {self.unwritten}", red=True)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the version and settings where some were given."""
    if not _is_configured(config):
        return None
    from ldjcheck.pytest_plugin.settings import header

    return header(config)


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> str | None:
    """Return the same where tests use ldjcheck by themselves."""
    if _is_worker(config) or _is_configured(config) or not items:
        return None
    from ldjcheck.pytest_plugin.settings import header, uses_ldjcheck

    return header(config) if any(map(uses_ldjcheck, items)) else None


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
    from ldjcheck.pytest_plugin.settings import seed_for, seeded
    from ldjcheck.pytest_plugin.summary import hearing

    seed = seed_for(item)
    with nullcontext() if seed is None else seeded(seed), hearing(item):
        yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Hand what was heard to the report of the test, which crosses processes.

    A test that fails after a look at a wrong layer shows what is wrong with it. One that
    fails by a mistake has its code first in the line of the short summary.
    """
    from ldjcheck.pytest_plugin.summary import hand_on, in_short

    screens, line = hand_on(item), in_short(call)
    outcome = yield
    if screens or line is not None:
        report = outcome.get_result()
        crash = getattr(report.longrepr, "reprcrash", None)
        if report.failed and crash is not None and line is not None:
            crash.message = line
        if report.failed:
            report.sections += [("ldjcheck", screen) for screen in screens]


@pytest.fixture
def ldj(request: pytest.FixtureRequest) -> Ldj:
    """Check layers with the settings of the session and of the test's marks.

    `ldj.check(layer)` returns a report, `ldj.assert_ok(layer)` raises a mistake.
    """
    from ldjcheck.pytest_plugin.fixture import Ldj
    from ldjcheck.testing.parametrizing import marked, session_options

    options: dict[str, Any] = {**session_options(request.node), **marked(request.node)}
    return Ldj(options)
