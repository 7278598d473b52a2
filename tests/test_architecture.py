"""The shape of the package: imports go down, and nothing keeps state."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import fields
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pytest

import ldjcheck
from ldjcheck.records import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PACKAGE = Path(ldjcheck.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"numerics", "torch_ops"}),
    frozenset(
        {
            "errors", "object_graph", "records",
            "tracebacks", "tracing",
        }
    ),
    frozenset({"calling", "revision", "tape"}),
    frozenset({"densities"}),
    frozenset({"running", "conventions", "targets", "strategies"}),
    frozenset({"oracle.derivatives", "oracle.noise"}),
    frozenset({"oracle.structures"}),
    frozenset({"oracle"}),
    frozenset({"oracle.way_back"}),
    frozenset({"oracle.oracles"}),
    frozenset({"settling"}),
    frozenset({"experiments"}),
    frozenset({"judging"}),
    frozenset({"mistakes.engine", "mistakes.rewriting"}),
    frozenset({"mistakes.catalogue"}),
    frozenset({"mistakes"}),
    frozenset({"mistakes.diagnosis", "mistakes.mending", "mistakes.attribution"}),
    frozenset({"report.style"}),
    frozenset({"report.blocks"}),
    frozenset({"report"}),
    frozenset({"explaining", "faults", "options", "portrait", "readings"}),
    frozenset({"derivation.reading"}),
    frozenset({"derivation.calculus"}),
    frozenset({"derivation.writing"}),
    frozenset({"derivation"}),
    frozenset({"checking", "deriving"}),
    frozenset({"recognition", "search"}),
    frozenset({"report_hooks"}),
    frozenset({"api"}),
    frozenset({"classroom", "testing"}),
    frozenset({"monitoring"}),
    frozenset({"lightning"}),
    frozenset({"session"}),
    frozenset({"bug_report"}),
    frozenset({"grading.sandbox"}),
    frozenset({"grading.confined"}),
    frozenset({"grading"}),
    frozenset({"cli", "pytest_plugin"}),
    frozenset({"__main__"}),
)  # fmt: skip
"""From the ground up: a part imports from the floors below its own, and no other.

The rooms around the register of mistakes, which is `mistakes` itself, have floors of their
own: what finds and mends stands below it, and what asks all mistakes in turn above it.
"""


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def at_fault(faults: Callable[[str, str], object], *rooms: str) -> dict[str, object]:
    """Return what is wrong with each module, of those with a fault, by its dotted name.

    Rooms whose business it is are left out. `faults` takes the name and the source.
    """
    looked_at = {
        dotted(path): faults(dotted(path), path.read_text())
        for path in MODULES
        if not {part_of(dotted(path)), part_of(dotted(path)).split(".")[0]} & {*rooms}
    }
    return {module: found for module, found in looked_at.items() if found}


FACADE = "__init__"  # the package itself hands the names of `api` on, lazily


def part_of(module: str) -> str:
    """Return the part of the package to which a dotted module name belongs.

    It is the innermost one that has a floor, and else the outermost.
    """
    names = module.split(".")[1:] or [FACADE]
    parts = [".".join(names[:depth]) for depth in range(len(names), 0, -1)]
    return next((p for p in parts if any(p in floor for floor in FLOORS)), names[0])


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
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if part_is_ours(alias.name):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                home = ".".join([*above, home]).rstrip(".")
            if home == "ldjcheck":
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


@pytest.mark.slow
def test_imports_go_down_and_never_sideways() -> None:
    # The package itself hands the names of higher floors on, lazily.
    assert at_fault(upward_imports, FACADE) == {}


@pytest.mark.parametrize(
    ("module", "source", "faults"),
    [
        ("ldjcheck.report.text", "from ldjcheck.records import Run", 0),
        ("ldjcheck.report.text", "from ldjcheck.report.style import Style", 0),
        ("ldjcheck.report.text", "from .style import Style", 0),
        ("ldjcheck.report.text", "from __future__ import annotations\nimport torch", 0),
        ("ldjcheck.cli.commands.check", "from ldjcheck.api import check", 0),
        ("ldjcheck.cli.commands.check", "from ldjcheck import __version__", 0),
        ("ldjcheck.oracle.derivatives.jacobian", "from ldjcheck import settling", 1),
        ("ldjcheck.oracle.derivatives.jacobian", "from ldjcheck.api import check", 1),
        ("ldjcheck.oracle.derivatives.jacobian", "import ldjcheck.settling.design", 1),
        ("ldjcheck.oracle.derivatives.jacobian", "from ..settling import design", 1),
        (
            "ldjcheck.oracle.derivatives.jacobian",
            "def f():\n    from ldjcheck.mistakes import RULES",
            1,
        ),
        ("ldjcheck.records.asked", "from ldjcheck.calling.domains import REAL", 1),
        (
            "ldjcheck.records.asked",
            "if TYPE_CHECKING:\n    from ldjcheck.running.runner import Runner",
            1,
        ),
        ("ldjcheck.errors", "from ldjcheck.records import Run", 1),
        (
            "ldjcheck.search",
            "from ldjcheck import checking\n"
            "from ldjcheck.settling.subject import settle_layer",
            0,
        ),
        ("ldjcheck.explaining.sublayers", "from ldjcheck import checking", 1),
        ("ldjcheck.checking", "from ldjcheck.search import check_layer", 1),
        (
            "ldjcheck.mistakes.catalogue.rule",
            "from ldjcheck.report import A\nfrom ldjcheck.cli import B",
            2,
        ),
    ],
)
def test_the_test_above_sees_every_kind_of_import(
    module: str, source: str, faults: int
) -> None:
    assert len(upward_imports(module, source)) == faults


CIRCLES = frozenset(
    {
        # A row of layers is called by the conventions of its layers.
        frozenset({"ldjcheck.conventions", "ldjcheck.conventions.sequence"}),
    }
)
"""Modules that need each other by what they are. It takes a reason to add one."""


def module_graph() -> dict[str, set[str]]:
    """Return every module with those of ours that it imports, the package itself apart."""
    names = {dotted(path).removesuffix(f".{FACADE}"): path for path in MODULES}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        package = dotted(path).rpartition(".")[0]
        graph[name] = {
            module
            for imported in imported_names(path.read_text(), package)
            for module in [
                imported if imported in names else imported.rpartition(".")[0]
            ]
            if module in names and module not in (name, "ldjcheck")
        }
    return graph


def imported_names(source: str, package: str) -> Iterator[str]:
    """Yield what a source imports of ours, down to the single name."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                home = ".".join([*above, home]).rstrip(".")
            yield from (f"{home}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the groups of modules that import each other, directly or not."""
    reach = {name: set(graph[name]) for name in graph}
    for through in graph:
        for seen in reach.values():
            if through in seen:
                seen |= reach[through]
    return {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in graph
        if name in reach[name]
    }


@pytest.mark.slow
def test_each_module_has_a_floor_of_its_own_since_none_imports_in_a_circle() -> None:
    assert circles(module_graph()) == CIRCLES


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, {frozenset("ab")}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}, {frozenset("abc")}),
    ],
)
def test_the_test_above_sees_circles(
    graph: dict[str, set[str]], found: set[frozenset[str]]
) -> None:
    assert circles(graph) == found


VERDICTS = ("Comparison", "Diagnosis", "Measurement", "Result")


def handed_down(source: str) -> list[int]:
    """Return the lines of functions that are given one which measures, judges or explains.

    Whoever needs a verdict imports what makes it from a floor below; the order is no
    argument.
    """
    tree = parsed(source)

    def hands_down(annotation: str) -> bool:
        returned = annotation.rpartition("], ")[2].rstrip("]")
        words = returned.replace("| None", "").split()
        return (
            annotation.startswith("Callable[[") and bool(words) and words[0] in VERDICTS
        )

    aliases = {
        ast.unparse(node.targets[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and hands_down(ast.unparse(node.value))
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.annotation is not None
        for annotation in [ast.unparse(argument.annotation).strip("'")]
        if annotation in aliases or hands_down(annotation)
    ]


@pytest.mark.slow
def test_no_room_is_handed_the_order() -> None:
    # The search hands its own attempts to itself.
    assert at_fault(lambda _, source: handed_down(source), "search") == {}


def test_the_test_above_sees_what_is_handed_down() -> None:
    source = """
Compared = Callable[[Layer, Options], Comparison]
Tell = Callable[[Result], None]
def a(compared: Compared): ...
def b(alone: Callable[[Layer], Diagnosis | None]): ...
def c(tell: Tell, read: Callable[[Comparison], str]): ...
"""
    assert handed_down(source) == [4, 5]


def sets_what_is_exact(source: str) -> list[int]:
    """Return the lines that write an exact value, or what may differ from it."""
    return [
        node.lineno
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) == "Exact"
            or (
                ast.unparse(node.func) == "replace"
                and ast.unparse(node.args[0]).endswith("exact")
            )
        )
    ]


def test_only_oracles_set_what_is_exact() -> None:
    setting = at_fault(
        lambda _, source: sets_what_is_exact(source), "oracle", "records"
    )
    assert setting == {}


def test_the_test_above_sees_how_it_is_set() -> None:
    source = "a = Exact(ldj=x)\nreplace(side, exact=replace(side.exact, ldj=x))"
    assert sets_what_is_exact(source) == [1, 2]


RECORDS = {
    "calls", "comparison", "diagnosis", "exact", "measured", "measurement", "probe", "said",
    "side", "sides", "subject", "verdict",
}  # fmt: skip


def read_by_name(source: str) -> list[int]:
    """Return the lines that ask a record for a field past the type checker."""
    return [
        node.lineno
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("getattr", "hasattr", "setattr")
        and isinstance(node.args[0], ast.Name)
        and (node.args[0].id in RECORDS or ast.unparse(node.args[1]) == "direction")
    ]


def test_fields_of_records_are_read_where_the_type_checker_sees_it() -> None:
    """Attributes of users' objects may be asked for by name; records have known ones."""
    assert at_fault(lambda _, source: read_by_name(source)) == {}


def test_every_part_has_its_floor() -> None:
    parts = {part_of(dotted(path)) for path in MODULES} - {FACADE}
    assert parts == frozenset().union(*FLOORS)


def test_nothing_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert not [path for path in MODULES if path.stem in vague]


MOST = 15  # modules that can be looked over at once


def too_full(modules: Iterable[PurePath]) -> dict[str, int]:
    """Return the folders with too many modules side by side, of the package or below."""
    counted = Counter(
        module.parent.as_posix() for module in modules if module.stem != FACADE
    )
    return {folder: count for folder, count in counted.items() if count > MOST}


def test_no_room_holds_more_modules_than_can_be_looked_over() -> None:
    assert too_full(path.relative_to(PACKAGE) for path in MODULES) == {}


def test_the_test_above_counts_modules_side_by_side() -> None:
    modules = [PurePath("room", f"{name}.py") for name in range(15)]
    assert too_full([*modules, PurePath("room/__init__.py")]) == {}
    assert too_full([*modules, PurePath("room/more.py")]) == {"room": 16}


def test_every_module_says_what_it_is_for() -> None:
    silent = at_fault(lambda _, source: not ast.get_docstring(parsed(source)))
    assert silent == {}


def state_of(source: str) -> list[int]:
    """Return the lines of module level that a function rebinds, or that wait to be filled."""
    tree = parsed(source)
    rebound = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Global)]
    empty = [
        node.lineno
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, (ast.List, ast.Dict, ast.Set))
        and not ast.unparse(node.value).strip("[]{}")
    ]
    return rebound + empty


def test_no_module_keeps_state() -> None:
    assert at_fault(lambda _, source: state_of(source)) == {}


def bound_again(source: str) -> list[str]:
    """Return the names of module level to which a module gives two values."""
    bound = Counter(
        name.id
        for node in parsed(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    )
    return [name for name, times in bound.items() if times > 1]


def test_no_module_gives_a_name_of_its_own_two_values() -> None:
    assert at_fault(lambda _, source: bound_again(source)) == {}


def test_the_test_above_sees_names_beside_others() -> None:
    assert bound_again("_LEAST = 3\n_LEAST, _MOST = 2, 200") == ["_LEAST"]


def read_of_options(source: str) -> set[str]:
    """Return the attributes that a module reads of something called options."""
    return {
        node.attr
        for node in ast.walk(parsed(source))
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
