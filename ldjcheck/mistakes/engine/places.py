"""Where in the user's source an operation stands, and which statement to point at."""

import ast
import itertools
import linecache
import types
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from numbers import Real

from ldjcheck import torch_ops as ops
from ldjcheck.calling.results import parts_of
from ldjcheck.mistakes.engine.closeness import same
from ldjcheck.records import Location, Span
from ldjcheck.revision.text import span_of, targets_of
from ldjcheck.tape import Node, Place, Trace, is_in_code, location_of
from ldjcheck.tape.node import linear_positions
from ldjcheck.tracebacks import home_of, is_own, nearest_own

_ANYWHERE = 1_000_000  # lines: more than a function has


def spans_of(places: Sequence[Place]) -> tuple[Span, ...]:
    """Return where an operation stands in the target's own, in the innermost call first."""
    home = home_of(tuple(place.file for place in reversed(places)))
    return tuple(
        Span(file=p.file, line=p.line, end_line=p.end_line, function=p.function)
        for p in places
        if is_own(p.file, home)
    )


def source_text(place: Place | None) -> str | None:
    """Return the source of the expression at a place, on one line."""
    if place is None:
        return None
    lines = [
        linecache.getline(place.file, n) for n in range(place.line, place.end_line + 1)
    ]
    if not lines or not lines[0]:
        return None
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][: place.end_column]
    encoded[0] = encoded[0][place.column :]
    text = b" ".join(part.strip() for part in encoded).decode(errors="replace")
    return " ".join(text.split()) or None


# The tensor is second in the source.
_REFLECTED = "__radd__", "__rmul__", "__rsub__", "__rtruediv__"


def argument_text(node: Node, position: object) -> str | None:
    """Return the source of one argument of an operation, where it can be told."""
    text = source_text(node.place)
    if text is None or not isinstance(position, int):
        return None
    try:
        statement = ast.parse(text).body[0]
    except (SyntaxError, IndexError):
        return None
    found: list[ast.expr] = []
    if isinstance(statement, ast.AugAssign):
        found = [statement.target, statement.value]
        if _begins_at_zero(node):  # `total += a`, of a plain zero
            found = found[::-1]
    elif isinstance(statement, ast.Expr):
        expression = statement.value
        if isinstance(expression, ast.BinOp):
            found = [expression.left, expression.right]
            if node.name in _REFLECTED or _is_swapped(node, expression):
                found = found[::-1]
        elif isinstance(expression, ast.Call):
            owner = expression.func
            found = list(expression.args)
            if isinstance(owner, ast.Attribute) and _is_method(node):
                found = [owner.value, *found]
    return ast.unparse(found[position]) if position < len(found) else None


def _is_swapped(node: Node, expression: ast.BinOp) -> bool:
    """Return whether the source has the number first, where the operation has it second.

    `2 * z` and `z * 2` are one call. The tensor is what ends where its own operation does,
    or what the layer holds, else what is a mere name beside something longer.
    """
    tensor, place = node.args[0], node.place
    second = node.args[1] if len(node.args) > 1 else None
    is_tensor = isinstance(second, Node) and second.name != "number"
    if len(node.args) < 2 or is_tensor or place is None:
        return False
    left, right = expression.left, expression.right
    if isinstance(tensor, Node) and tensor.place is not None:
        inner = source_text(tensor.place)
        if inner is not None and tensor.place.line == place.line:
            sides = [
                ast.unparse(ast.parse(inner)) == ast.unparse(s) for s in (left, right)
            ]
            if any(sides):
                return sides[1]
    if isinstance(left, ast.Constant) or isinstance(right, ast.Constant):
        return isinstance(left, ast.Constant)
    if _begins_at_zero(node):
        return isinstance(left, ast.Name)
    held = [isinstance(side, ast.Attribute) for side in (left, right)]
    if isinstance(tensor, Node) and tensor.learnable and sum(held) == 1:
        return held[1]
    return isinstance(right, ast.Name) and not isinstance(left, ast.Name)


def _begins_at_zero(node: Node) -> bool:
    """Return whether a plain zero is added: what a running total begins with."""
    second = node.args[1] if len(node.args) == 2 and node.name in ops.ADD else None
    return isinstance(second, Node) and second.name == "number" and not second.value


def _is_method(node: Node) -> bool:
    """Return whether an operation was called on the tensor, not through a module."""
    return isinstance(
        node.function, (types.MethodDescriptorType, types.WrapperDescriptorType)
    )


def operand_of_step(traces: Sequence[Trace], first: int, last: int) -> str | None:
    """Return what a step adds to the ldj, in its source's words: `log(1 - self.alpha)`."""
    step = max(
        traces[0].steps[first:last], key=lambda s: float(s.logdet.abs().max())
    ).end
    if step.name in ("mul", "__mul__", "__rmul__", "mul_", "__imul__"):
        carriers = [i for i, a in enumerate(step.args) if isinstance(a, Node)]
        others = [i for i in (0, 1) if i not in carriers]
        if others:
            return logged(argument_text(step, others[0]))
    if step.name in ("div", "__truediv__", "div_", "__itruediv__", "true_divide"):
        return logged(argument_text(step, 1))
    return source_text(step.place)


def logged(text: str | None) -> str | None:
    """Return how a factor enters the ldj, in the words of its source."""
    return None if text is None else f"log({text})"


def place_of(trace: Trace, node: Node) -> Place | None:
    """Return a node's place in the innermost call that makes terms or steps.

    A helper that only sums what it is given is nobody's mistake: its caller is meant. So is
    who asks a distribution of torch's.
    """
    made = next((i for i, p in enumerate(node.places) if p.call in trace.makers), 0)
    return own_place(node.places[made:])


def beyond_map(trace: Trace, node: Node) -> Place | None:
    """Return a node's place as `place_of` has it, but in code that the map does not run.

    What the map runs as well is a helper that is right: who calls it for the ldj is meant.
    """
    place, innocent = place_of(trace, node), trace.spans_of_map
    if place is None or place.span not in innocent:
        return place
    within = node.places[node.places.index(place) :]
    alone = (each for each in within if each.span not in innocent)
    return next((own for each in alone if (own := own_place([each]))), place)


def assigned_at(place: Place | None, name: str) -> tuple[Place, str] | None:
    """Return where a value is given another name before a place, and what it is there."""
    for statement in _assignments(place):
        if [ast.unparse(target) for target in targets_of(statement)] == [name]:
            computes = ast.BinOp | ast.Call
            if any(isinstance(node, computes) for node in ast.walk(statement)):
                return None
            if place is not None:
                return _at(place, statement), ast.unparse(statement.value)
    return None


def renamed_at(node: Node) -> tuple[Place, str] | None:
    """Return where a value that has a name gets another one, and the name that it has."""
    place, name = node.place, name_given(node)
    for statement in _assignments(place, after=_ANYWHERE) if name else ():
        if place is not None and ast.unparse(statement.value) == name:
            return _at(place, statement), name
    return None


def _at(place: Place, statement: ast.stmt) -> Place:
    line, column, end_line, end = span_of(statement)
    return replace(place, line=line, end_line=end_line, column=column, end_column=end)


def name_given(node: Node) -> str | None:
    """Return the name that the source gives to this value, and to no other, or None."""
    return _name_at(node.place)


def callers_name(trace: Trace, node: Node, within: Place | None) -> str | None:
    """Return the name that the function `within` gives to what a helper of it returns."""
    for place in node.places[1:]:
        is_there = within is not None and place.call == within.call
        if is_there and not any(
            place in n.places for n in trace.nodes[node.index + 1 :]
        ):
            return _name_at(place)
    return None


def _name_at(place: Place | None) -> str | None:
    names: list[str] = []
    found: str | None = None
    for statement in _assignments(place, after=_ANYWHERE):
        assert place is not None
        targets, value = targets_of(statement), statement.value
        if isinstance(targets[0], ast.Tuple):
            targets = targets[0].elts
        values = value.elts if isinstance(value, ast.Tuple) else [value]
        names += map(ast.unparse, targets)
        for target, made in zip(targets, values, strict=False):
            made_at = place.line, place.column, place.end_line, place.end_column
            if len(targets) == len(values) and made_at == span_of(made):
                found = ast.unparse(target)
    return found if found is not None and names.count(found) == 1 else None


def words_for(trace: Trace, node: Node) -> str | None:
    """Return a value's name, how the source makes it, or what its first user calls it."""
    uses = ((u, p) for u in trace.nodes for p, used in u.inputs() if used is node)
    called = (argument_text(user, position) for user, position in uses)
    return (
        name_given(node) or source_text(node.place) or next(filter(None, called), None)
    )


def _assignments(place: Place | None, *, after: int = 0) -> list[ast.Assign]:
    """Return the assignments of a function up to a place in it, the last one first.

    Those of some lines `after` it are among them.
    """
    line = 0 if place is None else place.line
    found = [
        node
        for node in ast.walk(_home(place))
        if isinstance(node, ast.Assign) and node.lineno < line + after
    ]
    return sorted(found, key=lambda node: -node.lineno)


def _home(
    place: Place | None, kind: type[ast.FunctionDef | ast.ClassDef] = ast.FunctionDef
) -> ast.AST:
    """Return the function around a place, or the file; an empty one where none is read.

    The class around it, where that is the `kind`.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(place.file)) if place else "")
    except (SyntaxError, ValueError):
        return ast.Module([], [])
    homes = [
        node
        for node in ast.walk(tree)
        if place is not None
        and isinstance(node, kind)
        and node.lineno <= place.line <= (node.end_lineno or node.lineno)
    ]
    return homes[-1] if homes else tree


def own_place(places: Sequence[Place]) -> Place | None:
    """Return the innermost of some places that is of the target's own sources."""
    files = tuple(place.file for place in places)
    return places[nearest_own(files)] if files else None


def statement_of(trace: Trace, node: Node) -> Place | None:
    """Return where a value becomes an ldj: the innermost place of its terms per sample.

    Of the nodes that hold the same terms it is the innermost one without event axes; when
    there is none, the innermost one that has a place at all. It is none whose code is known
    to be right, if there is another.
    """
    chain = [n for n in same_terms_chain(trace, node) if n.place is not None]
    small = [n for n in chain if n.value.numel() <= trace.batch]
    places = [place_of(trace, n) for n in small or chain]
    open_ = [place for place in places if not is_known_right(trace, location_of(place))]
    return next(reversed(open_ or places), None)


def same_terms_chain(trace: Trace, node: Node) -> Iterator[Node]:
    """Yield the node and, inwards, those that hold the very same terms."""
    while True:
        yield node
        parts = [node.argument(position) for position in linear_positions(node)]
        parts = [part for part in parts if not _is_nothing(part)]
        if len(parts) != 1:
            return
        part = parts[0]
        if part not in trace.own_set and part.name not in ops.FACTORIES:
            return
        node = part


def _is_nothing(node: Node) -> bool:
    """Return whether a part is the incoming total or zero: it holds no term."""
    while node.name in ops.LINEAR and node.args and isinstance(node.args[0], Node):
        if not node.value.any():
            return True
        node = node.args[0]
    return node.name == "incoming" or not bool(node.value.any())


def is_known_right(trace: Trace, location: Location | None) -> bool:
    """Return whether a place is in code that was checked, and is right."""
    if location is None:
        return False
    return any(is_in_code(location, code) for code in trace.known_right)


def factor_statement(trace: Trace, node: Node, factor: float) -> Place | None:
    """Return where the source itself multiplies these terms by a factor, or None.

    For -1 that is a minus sign. Of several places it is the outermost.
    """
    for user, position in uses_towards(trace, node):
        if factor == -1.0:
            minus = user.name in ops.NEGATE or (
                user.name in ops.SUBTRACT
                and position == (0 if "rsub" in user.name else 1)
            )
            if minus:
                return place_of(trace, user)
        elif user.name in ops.MULTIPLY:
            number = _number(other_factor(user, position))
            if number is not None and abs(number - factor) < 1e-12:
                return place_of(trace, user)
    return None


def other_factor(user: Node, position: object) -> object:
    """Return what a product, or a quotient, has beside one of its two sides."""
    others = [a for i, a in enumerate(user.args[:2]) if i != position]
    return others[0] if len(others) == 1 else None


def turning_statement(trace: Trace) -> Place | None:
    """Return where the source turns the sign of all that the ldj adds up, time and again."""
    turns: dict[object, list[Node]] = {}
    for node in trace.own:
        if node.name in ops.NEGATE and node.place is not None:
            turns.setdefault(node.place.span, []).append(node)
    for nodes in turns.values():
        turned = trace.replayed({node: -node.value for node in nodes})
        if same(turned, -trace.reported):
            return own_place(nodes[0].places)
    return None


def written_count(trace: Trace, node: Node) -> float:
    """Return by what number, all in all, the source multiplies these terms."""
    count = 1.0
    for user, position in uses_towards(trace, node):
        number = _number(other_factor(user, position))
        if number and user.name in ops.MULTIPLY:
            count *= number
        elif number and user.name in ops.DIVIDE and position == 0:
            count /= number
    return count


def is_times(trace: Trace, count: int) -> bool:
    """Return whether the ldj, or a term of it, is multiplied by this number by itself."""
    return any(
        node.name in ops.MULTIPLY
        and any(isinstance(a, Real) and float(a) == count for a in node.args[:2])
        for node in trace.own
    )


def counting_statement(trace: Trace, node: Node) -> Place | None:
    """Return where the source multiplies these terms by a count; None if it never does.

    A count that is wrong stands where a number multiplies, or where that number is worked
    out for nothing else; one that is missing is missing where the term is made, or where a
    caller of what makes it adds it to others.
    """
    uses = uses_towards(trace, node)
    for user, position in uses:
        other = other_factor(user, position)
        if (
            user.name in ops.MULTIPLY
            and other is not None
            and not isinstance(other, Node)
        ):
            place = place_of(trace, user)
            return (
                _worked_out_at(place, argument_text(user, int(position == 0))) or place
            )
    meeting = [user for user, _ in uses if len(linear_positions(user)) > 1]
    if not meeting:
        return None
    maker = node if node.places else uses[-1][0]
    met, made = place_of(trace, meeting[-1]), place_of(trace, maker)
    return met if met and made and met.call != made.call else None


def beside_map(trace: Trace, node: Node, factor: float) -> Place | None:
    """Return where terms are made in a function that multiplies the map by a number.

    A step size that the terms lack is missing there, and in no helper that makes them.
    """
    wanted = {round(factor, 9), round(1.0 / factor, 9)}
    functions = {
        (each.place.file, each.place.function)
        for each in trace.order
        if each.place is not None and each.name in ops.MULTIPLY | ops.DIVIDE
        for number in each.args[:2]
        if isinstance(number, Real) and round(float(number), 9) in wanted
    }
    users = [user for user, _ in reversed(uses_towards(trace, node))]
    places = (each.place for each in (*same_terms_chain(trace, node), *users))
    own = (place for place in places if place is not None)
    return next((p for p in own if (p.file, p.function) in functions), None)


def scaling_statement(trace: Trace, node: Node) -> Place | None:
    """Return where the source multiplies or divides a sum of terms by a plain number, last.

    A number that all of them lack is missing there, as the ln 2 of bits beside the dims.
    """
    for user, position in uses_towards(trace, node):
        is_scaled = user.name in ops.MULTIPLY or (
            user.name in ops.DIVIDE and position == 0
        )
        if is_scaled and isinstance(other_factor(user, position), Real):
            place = place_of(trace, user)
            if place is not None:
                return place
    return None


def _worked_out_at(place: Place | None, name: str | None) -> Place | None:
    """Return where a number is computed that is used by its name once, at a place."""
    names = (n for n in ast.walk(_home(place)) if isinstance(n, ast.Name))
    if sum(n.id == name and isinstance(n.ctx, ast.Load) for n in names) != 1:
        return None
    for statement in _assignments(place):
        made = any(isinstance(n, ast.BinOp | ast.Call) for n in ast.walk(statement))
        if made and list(map(ast.unparse, targets_of(statement))) == [name]:
            return _at(place, statement) if place is not None else None
    return None


def reducing_statement(trace: Trace) -> Place | None:
    """Return where the ldj is reduced for the last time, or should have been."""
    node = trace.ldj
    while node is not None and node in trace.own_set and node.name in ops.NEGATE:
        node = next(iter(node.parents), None)
    if node is not None and node in trace.own_set and node.name in ops.REDUCE:
        return place_of(trace, node)
    return returned_name(trace) or ldj_statement(trace)


def ldj_statement(trace: Trace) -> Place | None:
    """Return where the whole ldj is made."""
    node = _written(trace)
    if node is not None and node in trace.own_set:
        return statement_of(trace, node)
    if node is not None and node.place is not None:
        return place_of(trace, node)
    return returned_name(trace)


def base_statement(trace: Trace) -> Place | None:
    """Return where a model reduces last, for each sample: that is the log-density of z.

    Of a mixture it is what adds up its components.
    """
    reduced = (
        node.place
        for node in reversed(trace.own)
        if node.name in (*ops.REDUCE, "logsumexp")
        and node.value.shape[:1] == (trace.batch,)
    )
    return next((place for place in reduced if place is not None), None)


def last_statement(trace: Trace) -> Place | None:
    """Return the last statement that touches the ldj.

    Where a way back asks `forward` for it, that is where it asks: `forward` says its own.
    """
    node = _written(trace)
    if node is None or trace.direction == "forward" or not node.places:
        return node.place if node is not None else returned_name(trace)
    asks = node.places[-1].function != "forward"
    apart = (p for p in node.places if not (asks and p.function == "forward"))
    return next(apart, node.place)


def _written(trace: Trace) -> Node | None:
    """Return the ldj as the layer's own code made it: what follows is our arithmetic."""
    node = trace.ldj
    while node is not None and node.place is None and node.function is not None:
        parents = node.parents
        node = parents[0] if parents else None
    return node


def largest_step(trace: Trace, first: int = 0, last: int | None = None) -> Node | None:
    """Return the largest of some steps of the map."""
    steps = trace.steps[first:last]
    if not steps:
        return None
    return max(steps, key=lambda step: float(step.logdet.abs().max())).end


def forgotten_statement(trace: Trace) -> Place | None:
    """Return the step whose ldj is forgotten, as the frame that returns the ldj has it."""
    step = largest_step(trace)
    if step is None:
        return ldj_statement(trace)
    ldj = trace.ldj
    calls = {place.call for place in ldj.places} if ldj is not None else set()
    if ldj is not None and ldj.name in ops.FACTORIES and ldj.index > step.index:
        made, stepped = ldj.place, step.place
        if made is not None and stepped is not None and made.call == stepped.call:
            return made  # zeros that are made when the step is done are the ldj
    for place in step.places:
        if place.call in calls:
            return place
    if ldj is not None and ldj.place is not None and step.places:
        return ldj.place  # a method of its own says what the map's ldj is
    # A plain zero, or the total that was passed in: the outermost call hands it back.
    return step.places[-1] if step.places else None


def missing_statement(trace: Trace, node: Node) -> Place | None:
    """Return the line that should have carried the ldj of a step, else the step's own.

    It is looked for in the innermost call that runs the step and still hands an ldj on.
    Where terms are added to a total that was passed in, one by one, the step that none was
    added for says more than any of the other terms.
    """
    handing = {place.call for own in trace.own for place in own.places}
    step = next((p for p in node.places if p.call in handing), node.place)
    sums = (own for own in trace.own if own.name in ops.ADD | ops.SUBTRACT)
    if any(parent.name == "incoming" for own in sums for parent in own.parents):
        return step
    apart = not any(place.call in handing for place in node.places)
    alone = _only_statement(trace, linear=apart)
    if alone is not None and (step is None or step.call in (alone.call, None)):
        return alone
    if apart and (found := alone or _of_its_class(trace, node)) is not None:
        return found  # map and ldj are computed in separate calls
    itself = step is not None and node.place is not None and step == node.place
    if alone is not None and itself and _is_made_for(trace, alone, step):
        return alone  # a helper that the step's own function calls for its ldj
    return step if step is None else returned_name(trace, step) or step


def _of_its_class(trace: Trace, node: Node) -> Place | None:
    """Return the one line on which the class that runs a step makes what the ldj sums."""
    made, home = node.place, _home(node.place, ast.ClassDef)
    if made is None or not isinstance(home, ast.ClassDef):
        return None
    lines = range(home.lineno, (home.end_lineno or home.lineno) + 1)
    summed = (each.place for each in _summed(trace) if each.place is not None)
    found = {p.line: p for p in summed if p.file == made.file and p.line in lines}
    return next(iter(found.values())) if len(found) == 1 else None


def _summed(trace: Trace) -> Iterator[Node]:
    """Yield what the ldj is a sum of, and what sums it."""
    pending, seen = [trace.ldj], set[Node]()
    while pending:
        node = pending.pop()
        if node is None or node in seen or node not in trace.own_set:
            continue
        seen.add(node)
        yield node
        pending += (node.argument(position) for position in linear_positions(node))


def _only_statement(trace: Trace, *, linear: bool) -> Place | None:
    """Return the one line on which all terms are made, or None.

    With `linear` a line that only sums values of the map counts, if no other line does.
    """
    places: dict[tuple[str, int], Place] = {}
    sums: dict[tuple[str, int], Place] = {}
    for node in trace.own:
        if node.place is not None:
            into = sums if linear_positions(node) else places
            into[node.place.file, node.place.line] = node.place
    found = places or (sums if linear else {})
    return next(iter(found.values())) if len(found) == 1 else None


def _is_made_for(trace: Trace, line: Place, step: Place | None) -> bool:
    """Return whether the terms on a line are made on behalf of the call that runs a step."""
    return step is not None and any(
        place.call == step.call
        for own in trace.own
        if own.place is not None
        and (own.place.file, own.place.line) == (line.file, line.line)
        for place in own.places
    )


def uses_towards(trace: Trace, node: Node) -> Sequence[tuple[Node, object]]:
    """Return the linear uses from the returned ldj down to a node's terms, outermost first."""
    if trace.ldj is None:
        return []
    path: list[tuple[Node, object]] = []

    def descend(current: Node) -> bool:
        if current is node:
            return True
        if current not in trace.own_set:
            return False
        for position in linear_positions(current):
            path.append((current, position))
            if descend(current.argument(position)):
                return True
            path.pop()
        return False

    if not descend(trace.ldj):
        return []
    chain = list(same_terms_chain(trace, node))
    below = [
        (outer, position)
        for outer, inner in itertools.pairwise(chain)
        for position in linear_positions(outer)
        if outer.argument(position) is inner
    ]
    return [*path, *below]


def _number(value: object) -> float | None:
    """Return the number that an argument is; None when it is learned, or none."""
    if isinstance(value, Real):  # NumPy's too
        return float(value)
    if isinstance(value, Node) and value.value.numel() == 1 and not value.learnable:
        return float(value.value)
    return None


def returned_name(trace: Trace, call: Place | None = None) -> Place | None:
    """Return the last assignment to the name that a call returns as its ldj.

    The call is the outermost one if none is given.

    A plain number, or a value of the map handed on as it is, leaves no operation behind;
    the source tells where its name comes from.
    """
    outermost = call or next((n.places[-1] for n in trace.nodes if n.places), None)
    if outermost is None:
        return None
    source = "".join(linecache.getlines(outermost.file))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name == outermost.function
        and node.lineno <= outermost.line <= (node.end_lineno or node.lineno)
    ]
    if not functions:
        return None
    ran = {p.line for n in trace.nodes for p in n.places if p.call == outermost.call}
    statement = _ldj_assignment(functions[-1], ran, _records(tree))
    return None if statement is None else _at(outermost, statement)


def _ldj_assignment(
    function: ast.FunctionDef, ran: set[int], records: Collection[str]
) -> ast.stmt | None:
    """Return the assignment behind the second value of the return that was reached."""
    returns = sorted(
        (
            (node, parts)
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and node.value is not None
            if len(parts := parts_of(node.value, records)) > 1
        ),
        key=lambda each: each[0].lineno,
    )
    end = max(ran, default=0)
    reached = [r for r in returns if (r[0].end_lineno or r[0].lineno) >= end]
    reached = reached or returns[-1:]
    if not reached:
        return None
    last, (_, value, *_) = reached[0]
    name = _first_term(value)
    if not isinstance(name, ast.Name):
        return last
    passed_by = _passed_by(function, ran)
    assignments = [
        node
        for node in ast.walk(function)
        if isinstance(node, (ast.Assign, ast.AugAssign))
        and node not in passed_by
        and node.lineno < last.lineno
        and (isinstance(node, ast.Assign) or node.lineno in ran)
        and name.id in [ast.unparse(target) for target in targets_of(node)]
    ]
    return max(assignments, key=lambda node: node.lineno, default=last)


def _first_term(value: ast.expr) -> ast.expr:
    """Return what a value is first of all made of: `ldj`, of `-ldj.sum(1) + own`."""
    while True:
        if isinstance(value, ast.UnaryOp):
            value = value.operand
        elif isinstance(value, ast.BinOp):
            value = value.left
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value
        else:
            return value


def _records(tree: ast.Module) -> set[str]:
    """Return the classes of a file that hold what they are called with, and no more."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and not any(isinstance(n, ast.FunctionDef) for n in node.body)
        and any(isinstance(n, ast.AnnAssign) for n in node.body)
    }


def _passed_by(function: ast.FunctionDef, ran: set[int]) -> set[ast.AST]:
    """Return what stands in branches that were not taken: their others have lines that ran."""
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        if not isinstance(node, ast.If):
            continue
        arms = [
            [n for each in arm for n in ast.walk(each)]
            for arm in (node.body, node.orelse)
        ]
        taken = [any(getattr(n, "lineno", None) in ran for n in arm) for arm in arms]
        if taken.count(True) == 1:
            found.update(arms[taken.index(False)])
    return found
