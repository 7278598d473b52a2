"""Where the terms go: beside the steps that they belong to, or into a method for them.

What sublayers hand back is counted where they are called. Of a method that gives the ldj
alone, such as `log_abs_det_jacobian(x, y)`, the map is computed elsewhere: a term has to be
written in what the method is given, and all that lies between is written out.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ldjcheck.calling.parameter_names import is_total
from ldjcheck.derivation.calculus.formulas import Formulas, moment_of
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.derivation.reading.execution import Execution, Moment, Recorded
from ldjcheck.derivation.reading.ldj_sites import Home
from ldjcheck.derivation.writing.codegen import (
    Spelled,
    UnspeakableError,
    said_of,
    spell,
    with_derivative,
)
from ldjcheck.derivation.writing.edits import Line, NoPlaceError, Said, Side
from ldjcheck.derivation.writing.scope import Scope
from ldjcheck.revision import Replacement
from ldjcheck.revision.text import MethodNode, first_of, names_in, span_of
from ldjcheck.tape import Node, Place

_CLOSE = 1e-6
_FRESH = ("ld", "log_det", "layer_ldj", "step_ldj", "part_ldj")  # names of an ldj


def line_for(
    call: Recorded, formulas: Formulas, home: Home, statement: ast.stmt,
    terms: Sequence[Term],
) -> Line:  # fmt: skip
    """Return the statement that carries the terms of one statement of the map.

    It stands behind that statement where all that it needs still has its name, as people
    write it, and before it where that overwrites what the term is taken at.

    Raises:
        UnspeakableError: on neither side everything has a name.
    """
    found: list[tuple[float, Line]] = []
    failed: UnspeakableError | None = None
    for side, moment in _moments(home.execution, statement, terms[-1].end):
        scope = Scope(home.execution, moment, call)
        try:
            spelled = spell(formulas, terms, scope)
        except UnspeakableError as error:
            failed = failed or error
            continue
        parts = tuple(with_derivative(formulas, part, scope) for part in spelled)
        whys = (said_of(formulas, p.terms, scope, statement.lineno) for p in parts)
        cost = sum(part.cost for part in parts) + (side == "before") * 0.5
        line = Line(
            home=home, statement=statement, side=side, parts=parts, whys=tuple(whys)
        )
        found.append((cost, line))
    if not found:
        raise failed or UnspeakableError("there is no line for it")
    return min(found, key=lambda item: item[0])[1]


def _moments(
    execution: Execution, statement: ast.stmt, node: Node
) -> list[tuple[Side, Moment]]:
    """Return the moments just before and just behind a statement, when it made a value."""
    inside = moment_of(execution, node.index)
    if inside is None:
        return []
    moments = execution.moments
    at = moments.index(inside)
    last = statement.end_lineno or statement.lineno

    def is_within(index: int) -> bool:
        return statement.lineno <= moments[index].line <= last

    first, behind = at, at + 1
    while first > 0 and is_within(first - 1):
        first -= 1
    while behind < len(moments) and is_within(behind):
        behind += 1
    found: list[tuple[Side, Moment]] = []
    if behind < len(moments) and not isinstance(statement, ast.Return):
        found.append(("after", moments[behind]))
    if is_within(first):
        found.append(("before", moments[first]))
    return found


def is_right(call: Recorded, home: Home) -> bool:
    """Return whether a sublayer's own ldj is that of the steps that it ran."""
    claimed = _claimed(call, home)
    if claimed is None:
        return False
    exact = torch.zeros(call.trace.batch, dtype=torch.float64)
    for step in call.trace.steps:
        if any(place.call == home.execution.call for place in step.end.places):
            exact = exact + step.logdet
    gap = (call.form.sign * claimed - exact).abs()
    return bool((gap <= _CLOSE * (1 + exact.abs())).all())


def _claimed(call: Recorded, home: Home) -> Tensor | None:
    """Return what a function added to the ldj, `(batch,)`, in nats."""
    said = _per_sample(home.said, call.trace.batch)
    if said is None or not home.is_total:
        return said
    given = home.execution.moments[0].held.get(home.name)
    start = _per_sample(given, call.trace.batch)
    return None if start is None else said - start


def _per_sample(value: object, batch: int) -> Tensor | None:
    tensor = value.value if isinstance(value, Node) else value
    if tensor is None:
        tensor = 0.0
    if isinstance(tensor, (int, float)):
        tensor = torch.tensor(float(tensor))
    if not isinstance(tensor, Tensor) or tensor.numel() not in (1, batch):
        return None
    return tensor.detach().double().reshape(-1).expand(batch)


def links_of(
    call: Recorded,
    homes: Mapping[int, Home],
    counting: Iterable[int],
    lines: Sequence[Line],
) -> list[Line]:
    """Return the lines that add the ldj of sublayers that change the volume.

    Raises:
        NoPlaceError: a sublayer's ldj cannot be had where it is called.
    """
    found: list[Line] = []
    for number in counting:
        child = homes[number]
        caller = child.execution.caller
        if caller is not None and caller.call in homes:
            parent = homes[caller.call]
            known = [line for line in (*lines, *found) if line.home is parent]
            link = _link(call, parent, child, caller, known)
            found += [] if link is None else [link]
    return found


def _link(
    call: Recorded, parent: Home, child: Home, caller: Place, known: Sequence[Line]
) -> Line | None:
    """Return the line that counts a sublayer; None where what is written does so already."""
    statement, at = call.sources.statement(caller), call.sources.at(caller)
    if statement is None or not isinstance(at, ast.Call):
        raise NoPlaceError(f"line {caller.line} hides what it calls")
    if isinstance(statement, ast.Return) and _comes_to(statement.value, at):
        return None
    if not isinstance(statement, ast.Assign) or not _comes_to(statement.value, at):
        raise NoPlaceError(
            f"line {statement.lineno} throws away the ldj of what it calls"
        )
    target, source, index = statement.targets[0], parent.source, child.position
    why = f"line {statement.lineno} calls a layer that hands its own ldj back"

    def added(text: str | None, renamed: Replacement | None = None) -> Line:
        part = Spelled(text=text or "", minus=call.form.sign < 0, varies=True, cost=0)
        return Line(
            home=parent,
            statement=statement,
            side="after",
            parts=() if text is None else (part,),
            whys=() if text is None else (why,),
            renamed=renamed,
        )

    if isinstance(target, ast.Name):
        return added(f"{target.id}[{index}]")
    if not isinstance(target, ast.Tuple) or index >= len(target.elts):
        raise NoPlaceError(f"line {statement.lineno} takes the ldj apart")
    held = target.elts[index]
    name = held.id if isinstance(held, ast.Name) else ""
    given = (*at.args, *(keyword.value for keyword in at.keywords))
    if child.is_total and any(ast.unparse(each) == parent.name for each in given):
        return (
            None if name == parent.name else added(None, source.put(held, parent.name))
        )
    if name == parent.name and _begins(parent, statement, known):
        return None
    if name and name != parent.name and not name.startswith("_"):
        return added(name)
    used = {parent.name, *names_in(parent.function)}
    fresh = next(new for new in _FRESH if new not in used)
    return added(fresh, source.put(held, fresh))


def _begins(parent: Home, statement: ast.stmt, known: Sequence[Line]) -> bool:
    """Return whether a sublayer's ldj is the first that a function counts."""
    if parent.source.is_repeated(statement):
        return False
    return all(line.statement.lineno > statement.lineno for line in known)


def _comes_to(value: ast.expr | None, at: ast.expr) -> bool:
    """Return whether an expression is a call, or a choice of which it is one side."""
    if isinstance(value, ast.IfExp):
        return _comes_to(value.body, at) or _comes_to(value.orelse, at)
    return value is at


def ldj_method(call: Recorded) -> tuple[Execution, MethodNode] | None:
    """Return the method that gave the ldj, if one was asked for it by itself."""
    for execution in call.executions.values():
        outside = execution.caller is None or not call.is_own(execution.caller.file)
        if not outside or not is_total(execution.function):
            continue
        function = call.sources.function(execution)
        if function is None:
            continue
        if call.is_own(execution.file) and not isinstance(execution.returned, tuple):
            return execution, function
    return None


def method_lines(
    call: Recorded, formulas: Formulas, execution: Execution, terms: Sequence[Term]
) -> tuple[list[Said], list[Spelled]]:
    """Return each term in the words of the method, and what they are together.

    Raises:
        UnspeakableError: a term cannot be written in what the method is given.
    """
    scope = Scope(execution, execution.moments[0], call)
    lines = []
    for term in terms:
        parts = spell(formulas, [term], scope)
        if not parts:
            continue
        place = next((p for p in term.end.places if call.is_own(p.file)), None)
        number = 0 if place is None else place.line
        why = said_of(formulas, [term], scope, number)
        alone = with_derivative(formulas, parts[0], scope) if len(parts) == 1 else None
        lines.append(Said(place=place, text=_joined(parts), why=why, part=alone))
    return lines, spell(formulas, terms, scope)


def body_of(
    call: Recorded, execution: Execution, function: MethodNode, parts: Sequence[Spelled]
) -> Replacement:
    """Return the replacement of a method's body by the derived ldj."""
    source = call.sources.of(execution)
    line, column, *_ = span_of(first_of(function))
    *_, last, end = span_of(function.body[-1])
    indent = source.lines[line - 1][:column].decode()
    text = f"\n{indent}".join(_statements(call, execution, parts))
    return source.put_at((line, column, last, end), text)


def _statements(
    call: Recorded, execution: Execution, parts: Sequence[Spelled]
) -> list[str]:
    batched = (  # a parameter that holds the batch
        name
        for name in execution.arguments
        if isinstance(held := execution.moments[0].held.get(name), Node)
        and held.value.shape[:1] == (call.trace.batch,)
    )
    zeros = call.form.zeros(next(batched, execution.arguments[-1]))
    if not parts:
        return [f"return {zeros}"]
    ordered = sorted(parts, key=lambda part: not part.varies)
    start = None if ordered[0].varies else zeros
    texts = [ordered[0].after(start), *(part.after("ldj") for part in ordered[1:])]
    return [*(f"ldj = {text}" for text in texts[:-1]), f"return {texts[-1]}"]


def _joined(parts: Sequence[Spelled]) -> str:
    text = ""
    for part in parts:
        text = part.after(text or None)
    return text or "0"
