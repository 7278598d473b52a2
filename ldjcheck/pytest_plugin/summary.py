"""The checks that tests make, on their way to a section in the terminal and a file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ldjcheck.records import Result, Run
from ldjcheck.records.result import exit_code, from_plain
from ldjcheck.report_hooks import LISTENER, Heard
from ldjcheck.testing.assertion import LdjError, LdjMismatch
from ldjcheck.testing.parametrizing import session_seed

PROPERTY = "ldjcheck"
"""The name of the user property in which results travel."""

_SHOWN = 3  # layers of one test
_HEARD = pytest.StashKey[list[Heard]]()


@contextmanager
def hearing(item: pytest.Item) -> Iterator[None]:
    """Keep every check that is made meanwhile with the test."""
    heard: list[Heard] = []
    item.stash[_HEARD] = heard
    token = LISTENER.set(heard.append)
    try:
        yield
    finally:
        LISTENER.reset(token)


def hand_on(item: pytest.Item) -> tuple[str, ...]:
    """Put what was heard since the last time into the test's user properties.

    Return the screens of wrong layers that the test has only looked at: where it fails,
    by `assert report.status == "pass"` say, nothing else tells what was found.
    """
    heard = item.stash.get(_HEARD, [])
    if not heard:
        return ()
    looked = [e.report for e in heard if not e.asserted and e.report.status != "pass"]
    is_whole = item.config.getoption("ldj_report") is not None
    for each in heard:
        item.user_properties.append((PROPERTY, _plain(each, item, is_whole=is_whole)))
    heard.clear()
    screens = tuple(str(report) for report in looked[:_SHOWN])
    more = len(looked) - len(screens)
    return (*screens, *([f"{more} more were not right either"] if more else []))


def in_short(call: pytest.CallInfo[None]) -> str | None:
    """Return what is wrong with a layer in one line, where that is why a test fails."""
    if call.excinfo is None:
        return None
    error = call.excinfo.value
    if not isinstance(error, LdjMismatch | LdjError):
        return None
    from ldjcheck.report import failure

    return failure.in_short(error.report.run)


def _plain(heard: Heard, item: pytest.Item, *, is_whole: bool) -> dict[str, Any]:
    """Return a check as plain data; all its numbers only where a report wants them."""
    result = heard.report.to_dict()["results"][0]
    result["target"] = heard.target or item.nodeid
    if not is_whole:
        result |= {"checks": [], "ledger": [], "inferred": {}}
    return {
        "asserted": heard.asserted,
        "struck": sorted(heard.struck),
        "result": result,
    }


# --- the section in the terminal ------------------------------------------------------

_WORDS = {
    "pass": "pass",
    "fail": "mistake",
    "unproven": "unproven",
    "error": "not checked",
    "expected": "as expected",
    "meant": "not right in a test that passes",
}
_SEVERITIES = ("error", "unproven", "warning", "note")


class Summary:
    """Collects results from the reports of all tests, in one process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        # (test id, number of the check in it) to what was told, for a stable order.
        self.told: dict[tuple[str, int], Mapping[str, Any]] = {}
        self.failed: set[str] = set()

    def take(self, report: pytest.TestReport) -> None:
        """Take our results out of a report."""
        own = [value for name, value in report.user_properties if name == PROPERTY]
        report.user_properties = [p for p in report.user_properties if p[0] != PROPERTY]
        for number, value in enumerate(own):
            assert isinstance(value, dict)
            self.told[report.nodeid, number] = value
        if report.failed:
            self.failed.add(report.nodeid)

    def write(self, path: Path) -> None:
        """Write all results to a file, as `ldjcheck --format json` does.

        Raises:
            OSError: the file cannot be written.
        """
        from ldjcheck.report import Style, json

        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.render(self._run(), Style(color=False, verbosity=0))
        path.write_text(text, encoding="utf-8")

    def _run(self) -> Run:
        """Return all results as one run, the same however tests were distributed."""
        results = tuple(from_plain(Result, told["result"]) for _, told in self._once())
        return Run(
            seed=session_seed(self.config),
            exit_code=exit_code({result.status for result in results}),
            seconds=sum(result.seconds for result in results),
            command="pytest",
            results=results,
        )

    def _once(self) -> list[tuple[tuple[str, int], Mapping[str, Any]]]:
        """Return all checks, sorted by layer; those of one parametrized layer once."""
        seen: dict[tuple[str, int], Mapping[str, Any]] = {}
        for key, told in sorted(self.told.items(), key=lambda it: it[0]):
            seen.setdefault(_layer(key, told), told)
        return sorted(seen.items(), key=lambda it: it[0])

    def lines(self) -> Iterator[str]:
        """Yield how many layers came out how, and what was found where."""
        checks = self._once()
        failed = {
            _layer(key, told)
            for key, told in self.told.items()
            if key[0] in self.failed
        }
        statuses = [_status(told, fails=each in failed) for each, told in checks]
        counts = [(statuses.count(key), word) for key, word in _WORDS.items()]
        parts = [_plural(count, word) for count, word in counts if count]
        yield f"{_layers(len(checks))} checked: {', '.join(parts)}"
        findings = self._findings()
        for (severity, code, name), tests in findings.items():
            lead = "" if severity == "error" else f" ({severity})"
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            yield f"{code} {name}{lead}  {tests[0]}{more}"
        if findings:
            code = next(iter(findings))[1]
            yield f"explain a code: ldjcheck explain {code}"

    def _findings(self) -> dict[tuple[str, str, str], Sequence[str]]:
        """Return the tests by finding, the gravest first, without what was expected.

        A mistake counts where it made a test fail: a test may look at a wrong layer.
        """
        found: dict[tuple[str, str, str], list[str]] = {}
        for (nodeid, _), told in sorted(self.told.items(), key=lambda it: it[0]):
            for finding in told["result"]["findings"]:
                grave = finding["severity"] in ("error", "unproven")
                counts = nodeid in self.failed if grave else told["asserted"]
                if not counts or finding["code"] in told["struck"]:
                    continue
                key = (finding["severity"], finding["code"], finding["name"])
                place = told["result"]["target"]
                tests = found.setdefault(key, [])
                if place not in tests:
                    tests.append(place)
        return dict(sorted(found.items(), key=lambda it: _rank(it[0])))


def _layer(test: tuple[str, int], told: Mapping[str, Any]) -> tuple[str, int]:
    """Return which layer a check is of: tests of one parametrized layer share it."""
    return told["result"]["target"], test[1]


def _status(told: Mapping[str, Any], *, fails: bool) -> str:
    """Return a result's status, or `expected` where all that is wrong was expected.

    It is `meant` where no test of it failed: one that looks at a layer may want it wrong.
    """
    result = told["result"]
    grave = [f for f in result["findings"] if f["severity"] in ("error", "unproven")]
    is_known = grave and all(f["code"] in told["struck"] for f in grave)
    if is_known:
        return "expected"
    status = str(result["status"])
    is_let = status == "pass" or (status == "unproven" and told["asserted"])
    return status if fails or is_let else "meant"


def _rank(key: tuple[str, str, str]) -> tuple[int, str]:
    return _SEVERITIES.index(key[0]), key[1]


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def _plural(count: int, word: str) -> str:
    return f"{count} mistakes" if word == "mistake" and count > 1 else f"{count} {word}"
