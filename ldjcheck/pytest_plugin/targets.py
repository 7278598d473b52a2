"""The targets of ini `ldj_targets` as tests, each checked in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ldjcheck.records import Run
from ldjcheck.report_hooks import announce
from ldjcheck.targets.static_check import file_of_module
from ldjcheck.testing.assertion import LdjError, LdjMismatch, failure_of
from ldjcheck.testing.parametrizing import session_seed

_HOPS = 4  # through how many `from ... import` a name is followed


class Place(NamedTuple):
    """A line of a file, counted from 0 as pytest does; None: the file as a whole."""

    file: Path
    line: int | None = None


def find_place(source: str, expr: str | None, root: Path) -> Place | None:
    """Return where the first name of a target's expression is defined, if that is seen.

    `source` is a file, relative to `root`, or a dotted module.
    """
    file = _file_of(source, root)
    if file is None:
        return None
    name = _first_name(expr)
    return Place(file) if name is None else _definition(file, name, root, _HOPS)


def _file_of(source: str, root: Path) -> Path | None:
    path = root / source
    if path.is_file():
        return path
    is_dotted = all(part.isidentifier() for part in source.split("."))
    return file_of_module(source, root) if is_dotted else None


def _first_name(expr: str | None) -> str | None:
    """Return the name with which the expression starts: `Flow` of `Flow().layers[2]`."""
    try:
        node: ast.AST = ast.parse((expr or "").strip(), mode="eval").body
    except SyntaxError:
        return None
    while not isinstance(node, ast.Name):
        inner = getattr(node, "func", None) or getattr(node, "value", None)
        if not isinstance(inner, ast.AST):
            return None
        node = inner
    return node.id


def _definition(file: Path, name: str, root: Path, hops: int) -> Place:
    """Return the line that defines a name, in this file or in one it comes from."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):  # running it will tell what is wrong
        return Place(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and hops:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    there = _imported_from(node, file, root)
                    if there is not None:
                        return _definition(there, alias.name, root, hops - 1)
        elif name in _defined(node):
            return Place(file, node.lineno - 1)  # type: ignore[attr-defined]
    return Place(file)


def _defined(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return (node.name,)
    if isinstance(node, ast.Assign):
        return tuple(t.id for t in node.targets if isinstance(t, ast.Name))
    return ()


def _imported_from(node: ast.ImportFrom, file: Path, root: Path) -> Path | None:
    if not node.level:
        return _file_of(node.module or "", root)
    folder = file.parents[node.level - 1]
    below = folder.joinpath(*(node.module or "").split("."))
    for path in (below.with_suffix(".py"), below / "__init__.py"):
        if path.is_file():
            return path
    return None


# --- targets as tests -----------------------------------------------------------------

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
                    "--seed", str(session_seed(self.config)), "--format", f"json={file}",
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
