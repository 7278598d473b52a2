"""The targets of ini `ldj_targets` as tests, each checked in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ldjcheck.listening import announce
from ldjcheck.pytest_plugin.settings import seed_of
from ldjcheck.pytest_plugin.where import find_place
from ldjcheck.records import Run

if TYPE_CHECKING:
    from ldjcheck.testing.exceptions import LdjError, LdjMismatch

_REFUSED, _FAULT = 2, 4  # exit statuses: a usage error, and a fault of ours


class TargetsFile(pytest.File):
    """The configuration file, as the place of its targets."""

    def collect(self) -> Iterator[TargetItem]:
        """Yield one test per target, in the order of the list."""
        for target in self.config.getini("ldj_targets"):
            yield TargetItem.from_parent(self, name=target)


class TargetItem(pytest.Item):
    """One target: passes, or fails with what the command line would say."""

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return the file and line of the layer."""
        # pytest would take dots for those of a class where the name itself stood here.
        title = f"target {self.name}"
        source, _, expr = self.name.partition(":")
        place = find_place(source, expr or None, self.config.rootpath)
        if place is None:
            return self.path, None, title
        return place.file, place.line, title

    def runtest(self) -> None:
        """Check the target; it may hang, print or die without harm to the session.

        A process is started, not forked: threads of torch do not survive a fork.
        """
        __tracebackhide__ = True
        from ldjcheck.report import Report
        from ldjcheck.testing.exceptions import failure_of

        run = self._run()
        if not run.results:
            skipped = "".join(f"\n{each.target}: {each.why}" for each in run.skipped)
            pytest.fail(f"no layer was checked{skipped}", pytrace=False)
        found = []
        for result in run.results:
            report = Report(replace(run, results=(result,), skipped=()))
            announce(report, asserted=True, target=result.target)
            if (failure := failure_of(report)) is not None:
                found.append(failure)
        if found:
            told = map(str if len(run.results) == 1 else _named, found)
            raise type(found[0])("\n\n".join(told), found[0].report)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        """Return the message alone: there is no test function to show."""
        from ldjcheck.testing.exceptions import LdjError, LdjMismatch

        if not isinstance(excinfo.value, LdjMismatch | LdjError):
            return super().repr_failure(excinfo, style)
        path, line, _ = self.reportinfo()
        shown = os.path.relpath(path, self.config.invocation_params.dir)
        place = shown if line is None else f"{shown}:{line + 1}"
        return f"{excinfo.value}\n\n{place}: {excinfo.typename}"

    def _run(self) -> Run:
        """Return what `ldjcheck TARGET` finds in a process of its own.

        What the command refuses fails the test, with the words of the command.
        """
        __tracebackhide__ = True
        from ldjcheck.report.json import read_run

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "report.json")
            done = subprocess.run(
                [
                    sys.executable, "-m", "ldjcheck", "check",
                    "--seed", str(seed_of(self.config)), "--format", f"json={file}",
                    "--", self.name,
                ],
                cwd=self.config.rootpath,
                env=_environment(self.config),
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )  # fmt: skip
            # What the layer printed belongs to the test, like anything that tests print.
            sys.stderr.write(done.stderr)
            if done.returncode == _REFUSED and not file.exists():
                pytest.fail(done.stderr.strip(), pytrace=False)
            if done.returncode == _FAULT or not file.exists():
                raise RuntimeError(f"ldjcheck itself failed\n{done.stderr}")
            return read_run(json.loads(file.read_text(encoding="utf-8")))


def _environment(config: pytest.Config) -> dict[str, str]:
    """Return the environment of a process that imports from where tests do."""
    paths = [*map(str, config.getini("pythonpath")), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _named(failure: LdjMismatch | LdjError) -> str:
    """Return the message of one layer among several, with the target that means it."""
    head, _, rest = str(failure).partition("\n")
    return f"{head}\n{failure.report.result.target}\n{rest}"
