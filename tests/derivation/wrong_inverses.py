"""Wrong ways back, planted mechanically: one operator or function of one statement is another.

`PYTHONPATH=tests python -m derivation.wrong_inverses` prints how many are named and mended.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import inspect
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import ldjcheck
from derivation import right_inverses

if TYPE_CHECKING:
    from collections.abc import Iterator

_SWAPS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_FUNCTIONS = {"asinh": "sinh", "sigmoid": "tanh", "exp": "expm1"}
_NAMES = {"s": "t", "t": "s", "u": "v", "v": "u"}
_SOURCE = Path(inspect.getsourcefile(right_inverses) or "")


@dataclass(frozen=True, slots=True)
class Planted:
    """One wrong way back: its source, the layer, and the line that is wrong."""

    text: str
    layer: str
    line: int
    what: str


def planted() -> Iterator[Planted]:
    """Yield every wrong way back that one change of a statement makes, once."""
    tree = ast.parse(_SOURCE.read_text(encoding="utf-8"))
    seen: set[str] = set()
    for kind in range(len(_places(tree))):
        for change in _CHANGES:
            changed = copy.deepcopy(tree)
            layer, statement, node = _places(changed)[kind]
            what = change(statement, node)
            text = ast.unparse(changed)
            if what is None or text in seen:
                continue
            seen.add(text)
            again = _places(ast.parse(text))
            line = next(s.lineno for _, s, _ in again[kind:] if _is_same(s, statement))
            yield Planted(text=text, layer=layer, line=line, what=what)


def _is_same(a: ast.stmt, b: ast.stmt) -> bool:
    return ast.unparse(a) == ast.unparse(b)


def _places(tree: ast.Module) -> list[tuple[str, ast.stmt, ast.expr]]:
    """Return every expression of the ways back that serves the map, not the ldj."""
    found = []
    for layer in tree.body:
        if not isinstance(layer, ast.ClassDef):
            continue
        for function in layer.body:
            if not isinstance(function, ast.FunctionDef) or function.name != "inverse":
                continue
            for statement in function.body:
                if isinstance(statement, ast.Assign) and _serves_the_map(statement):
                    found += [
                        (layer.name, statement, node)
                        for node in ast.walk(statement.value)
                        if isinstance(node, ast.expr)
                    ]
    return found


def _serves_the_map(statement: ast.Assign) -> bool:
    names = {n.id for n in ast.walk(statement.targets[0]) if isinstance(n, ast.Name)}
    conditions = {"s", "t", "u", "v"}
    return not names & {"ldj", "logdet", "count", *conditions}


def _operator(statement: ast.stmt, node: ast.expr) -> str | None:
    if isinstance(node, ast.BinOp) and type(node.op) in _SWAPS:
        node.op = _SWAPS[type(node.op)]()
        return "another operator"
    return None


def _minus(statement: ast.stmt, node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        for i, argument in enumerate(node.args):
            if isinstance(argument, ast.UnaryOp) and isinstance(argument.op, ast.USub):
                node.args[i] = argument.operand
                return "a minus left out"
    return None


def _dropped(statement: ast.stmt, node: ast.expr) -> str | None:
    is_assigned = isinstance(statement, ast.Assign) and statement.value is node
    if isinstance(node, ast.BinOp) and is_assigned:
        statement.value = node.left
        return "an operand left out"
    return None


def _function(statement: ast.stmt, node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        other = _FUNCTIONS.get(node.func.attr)
        if other is not None:
            node.func.attr = other
            return "another function"
    return None


def _name(statement: ast.stmt, node: ast.expr) -> str | None:
    if isinstance(node, ast.Name) and node.id in _NAMES:
        node.id = _NAMES[node.id]
        return "another name"
    if isinstance(node, ast.Attribute) and node.attr in ("a", "b"):
        node.attr = "b" if node.attr == "a" else "a"
        return "another attribute"
    return None


def _added_minus(statement: ast.stmt, node: ast.expr) -> str | None:
    if not isinstance(node, ast.Call) or not node.args:
        return None
    if isinstance(node.args[0], (ast.UnaryOp, ast.Constant, ast.List)):
        return None
    node.args[0] = ast.UnaryOp(ast.USub(), node.args[0])
    return "a minus too many"


def _number(statement: ast.stmt, node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        node.value = node.value * 2
        return "another number"
    return None


_CHANGES = (_operator, _minus, _dropped, _function, _number, _name, _added_minus)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said of a wrong way back."""

    named: bool  # the wrong step
    mended: bool  # an edit was run with which the layer passes


def outcome_of(case: Planted, folder: Path, number: int) -> Outcome | None:
    """Return what is said of a wrong way back; None where it is right all the same.

    It may also be that it raises, or is no number: then it is told as that.
    """
    file = folder / f"wrong_inverse_{number}.py"
    file.write_text(case.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    domain = "unit" if case.layer == "Logit" else None
    report = ldjcheck.check(getattr(module, case.layer)(), shape=(4,), domain=domain)
    found = [f for f in report.findings if f.code == "LDJ301"]
    if not found:
        return None
    (finding, *_), told = found, "\n".join(found[0].evidence)
    mended = finding.fix is not None and finding.fix.applicability == "verified"
    if "nothing undoes line" in told:
        return Outcome(case.what == "an operand left out", mended)
    located = finding.location is not None and finding.location.line == case.line
    return Outcome(located and "line" in told, mended)


def main() -> None:
    """Print what is not named or not mended, and how many are."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(planted()):
            outcome = outcome_of(case, Path(folder), number)
            found += [outcome] if outcome is not None else []
            if outcome is not None and not (outcome.named and outcome.mended):
                line = case.text.splitlines()[case.line - 1].strip()
                print(f"{case.layer}: {case.what}: {line}: {outcome}", flush=True)
    named, mended = sum(o.named for o in found), sum(o.mended for o in found)
    print(f"of {len(found)}: {named} named, {mended} mended", flush=True)


if __name__ == "__main__":
    main()
