"""The shape of the package: imports go down, modules stay small."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ldjcheck
from ldjcheck.records import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(ldjcheck.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400

FLOORS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "cells", "errors", "holdings", "integral", "parameters", "profiling", "records",
            "tolerance", "tracebacks",
        }
    ),
    frozenset({"domains", "mass", "revision", "tape"}),
    frozenset(
        {
            "targets", "conventions", "probe", "measure", "compare", "diagnosis",
            "rules", "report", "strategies",
        }
    ),
    frozenset({"fixes", "listening"}),
    frozenset({"checking"}),
    frozenset({"checking.flows", "checking.setting"}),
    frozenset({"checking.besides", "checking.one_size", "checking.splits"}),
    frozenset({"checking.pipeline"}),
    frozenset({"checking.recognition", "checking.search"}),
    frozenset({"api"}),
    frozenset({"classroom", "testing"}),
    frozenset({"cli.isolation"}),
    frozenset({"cli.session"}),
    frozenset({"grading"}),
    frozenset({"cli", "pytest_plugin"}),
    frozenset({"__main__"}),
)  # fmt: skip
"""From the ground up: a part imports from the floors below its own, and no other.

The modules of `checking` have floors of their own: they are the order of all below. So have
those of `cli` that grading is built on.
"""

FACADE = "__init__"  # the package itself hands the names of `api` on, lazily


def part_of(module: str) -> str:
    """Return the part of the package to which a dotted module name belongs."""
    part, *below = [*module.split("."), FACADE][1:]
    within = ".".join([part, *below[:1]])
    return within if any(within in floor for floor in FLOORS) else part


def floor_of(part: str) -> int:
    """Return the number of the floor on which a part stands.

    Raises:
        LookupError: the part stands on none; a new one needs its place in `FLOORS`.
    """
    for number, parts in enumerate(FLOORS):
        if part in parts:
            return number
    raise LookupError(part)


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Yield every import of our own package: its line, and the dotted module.

    `package` is the dotted package in which the source stands. Imports inside functions
    and under `TYPE_CHECKING` count like all others.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if part_is_ours(alias.name):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                home = ".".join([*above, home]).rstrip(".")
            if home in ("ldjcheck", "ldjcheck.checking"):
                for alias in node.names:
                    named = "" if alias.name == "__version__" else f".{alias.name}"
                    yield node.lineno, f"{home}{named}"
            elif part_is_ours(home):
                yield node.lineno, home


def part_is_ours(module: str) -> bool:
    return module == "ldjcheck" or module.startswith("ldjcheck.")


def upward_imports(module: str, source: str) -> list[str]:
    """Return the imports of a module that do not go down, as `line: what`."""
    own = part_of(module)
    package = module.rpartition(".")[0]
    return [
        f"{line}: {imported}"
        for line, imported in imports(source, package)
        if part_of(imported) not in (own, FACADE)
        and floor_of(part_of(imported)) >= floor_of(own)
    ]


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_go_down_and_never_sideways(path: Path) -> None:
    if part_of(dotted(path)) == FACADE:
        pytest.skip("the package hands the names of higher floors on, lazily")
    assert upward_imports(dotted(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "faults"),
    [
        ("ldjcheck.report.text", "from ldjcheck.records import Run", 0),
        ("ldjcheck.report.text", "from ldjcheck.report.style import Style", 0),
        ("ldjcheck.report.text", "from .style import Style", 0),
        ("ldjcheck.report.text", "from __future__ import annotations\nimport torch", 0),
        ("ldjcheck.cli.check", "from ldjcheck.api import check", 0),
        ("ldjcheck.cli.check", "from ldjcheck import __version__", 0),
        ("ldjcheck.measure.exact", "from ldjcheck import probe", 1),
        ("ldjcheck.measure.exact", "from ldjcheck.api import check", 1),
        ("ldjcheck.measure.exact", "import ldjcheck.probe.plan", 1),
        ("ldjcheck.measure.exact", "from ..probe import plan", 1),
        ("ldjcheck.measure.exact", "def f():\n    from ldjcheck.rules import RULES", 1),
        ("ldjcheck.records.asked", "from ldjcheck.domains import REAL", 1),
        (
            "ldjcheck.records.asked",
            "if TYPE_CHECKING:\n    from ldjcheck.measure import Runner",
            1,
        ),
        ("ldjcheck.errors", "from ldjcheck.records import Run", 1),
        (
            "ldjcheck.checking.search",
            "from ldjcheck.checking import pipeline\n"
            "from ldjcheck.checking.setting import settle_layer",
            0,
        ),
        ("ldjcheck.checking.flows", "from ldjcheck.checking import pipeline", 1),
        (
            "ldjcheck.checking.pipeline",
            "from ldjcheck.checking.search import check_layer",
            1,
        ),
        (
            "ldjcheck.rules.rule",
            "from ldjcheck.report import A\nfrom ldjcheck.cli import B",
            2,
        ),
    ],
)
def test_the_test_above_sees_every_kind_of_import(
    module: str, source: str, faults: int
) -> None:
    assert len(upward_imports(module, source)) == faults


def test_every_part_has_its_floor() -> None:
    parts = {part_of(dotted(path)) for path in MODULES} - {FACADE}
    assert parts == frozenset().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_are_short_enough_to_be_read(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST


def test_nothing_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert not [path for path in MODULES if path.stem in vague]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_no_module_keeps_state(path: Path) -> None:
    """Nothing at module level is rebound by a function, or is an empty container."""
    tree = ast.parse(path.read_text())
    rebound = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Global)]
    empty = [
        node.lineno
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, (ast.List, ast.Dict, ast.Set))
        and not ast.unparse(node.value).strip("[]{}")
    ]
    assert (rebound, empty) == ([], [])


def read_of_options(source: str) -> set[str]:
    """Return the attributes that a module reads of something called options."""
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and "options" in ast.unparse(node.value)
    }


def test_every_option_of_a_check_is_read_by_a_stage() -> None:
    stages = [
        p for p in PACKAGE.rglob("*.py") if "cli" not in p.relative_to(PACKAGE).parts
    ]
    read = set().union(*(read_of_options(path.read_text()) for path in stages))
    assert {field.name for field in fields(Options)} <= read


def test_an_option_that_is_only_passed_on_is_not_read() -> None:
    assert read_of_options("Options(select=given)") == set()
    assert read_of_options("self.options.seed + options.batch") == {"seed", "batch"}
