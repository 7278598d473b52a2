"""Reading the tape: each value as a formula of the values that it was made of."""

from __future__ import annotations

import ast
import contextlib
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy
import torch
from sympy import Expr, Symbol
from torch import Tensor
from torch.nn import Module

from ldjcheck.derivation.calculus.functions import FUNCTIONS, Where
from ldjcheck.derivation.calculus.logarithm import Logarithm
from ldjcheck.derivation.reading.execution import Execution, Moment, Recorded
from ldjcheck.derivation.reading.operands import (
    OPERATORS,
    is_close,
    operands,
    owner_of,
    value_of,
)
from ldjcheck.tape import Node
from ldjcheck.tape.node import is_fixed
from ldjcheck.torch_ops import CLAMPS, MOVES, SAME, plain_name

_EXACT = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)  # what a formula keeps
_FEW = 40  # operations of a formula that is written out


_SHAPED = frozenset(
    {
        "view", "reshape", "unsqueeze", "squeeze", "expand", "expand_as", "flatten",
        "getitem", "broadcast_to", "chunk", "split", "select", "narrow", "unbind", "t",
        "T", "transpose", "permute",
    }
)  # fmt: skip


class NoFormulaError(Exception):
    """A value has no formula; `node` is the operation that has none."""

    def __init__(self, node: Node, why: str) -> None:
        super().__init__(why)
        self.node = node
        self.why = why

    @classmethod
    def mixing(cls, node: Node) -> NoFormulaError:
        """Return that an operation makes entries of several others."""
        return cls(node, f"`{plain_name(node.name)}` mixes the entries")


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """How one function writes a value: an expression, and when it was read."""

    execution: Execution
    moment: Moment
    node: Any  # of `ast`


@dataclass(slots=True, eq=False)
class Leaf:
    """What a symbol stands for: a tensor of the tape, or a plain number of the source."""

    symbol: Symbol
    node: Node | None = None
    number: float | None = None
    wordings: list[Wording] = field(default_factory=list)

    @property
    def value(self) -> Any:
        """The tensor or the number."""
        return self.number if self.node is None else self.node.value


class Formulas:
    """The values of one recorded call as formulas.

    Args:
        call: the recorded call.
        literal: leave what has a name as it is, though what it was made of is known: where
            one statement runs several times, or both ways, it was made in several ways.
    """

    def __init__(self, call: Recorded, *, literal: bool = False) -> None:
        self.literal = literal
        self.trace = call.trace
        self.executions = call.executions
        self.sources = call.sources
        self.leaves: dict[Symbol, Leaf] = {}
        self._by_node: dict[Node, Symbol] = {}
        self._made_of: dict[Node, Expr] = {}
        self._words: dict[Node, list[Wording]] = {}
        self._by_text: dict[tuple[str, int, float], Symbol] = {}

    # --- symbols ----------------------------------------------------------------

    @cached_property
    def depending(self) -> frozenset[Node]:
        """The values that depend on the input, by more than its shape or precision."""
        return frozenset(self.trace.depending)

    def _those(self, holds: Callable[[Leaf], bool]) -> frozenset[Symbol]:
        return frozenset(s for s, leaf in self.leaves.items() if holds(leaf))

    @property
    def numbers(self) -> frozenset[Symbol]:
        """The symbols that are plain numbers."""
        return self._those(lambda leaf: leaf.node is None)

    @property
    def varying(self) -> frozenset[Symbol]:
        """The symbols that have a batch axis."""
        shapes = {
            s: getattr(leaf.value, "shape", ()) for s, leaf in self.leaves.items()
        }
        return frozenset(s for s in shapes if shapes[s][:1] == (self.trace.batch,))

    @property
    def sizes(self) -> dict[Symbol, float]:
        """The values of the symbols that are plain numbers."""
        held = {symbol: leaf.number for symbol, leaf in self.leaves.items()}
        return {s: number for s, number in held.items() if number is not None}

    @property
    def indicators(self) -> frozenset[Symbol]:
        """The symbols whose entries are all 0 or 1, whatever the parameters: masks."""
        return self._those(
            lambda leaf: leaf.node is not None and is_indicator(leaf.node)
        )

    def shortened(
        self, expression: Expr, begin: Node, inside: Collection[Node], named: set[Node]
    ) -> Expr:
        """Return an expression in the names that parts of it have: h, where that is tanh(x).

        Those parts are formulas of what lies `inside`, as functions of a value before.
        """
        for node in sorted(named.intersection(inside), key=lambda n: -n.index):
            with contextlib.suppress(NoFormulaError):
                formula = self.of(node, begin, inside)
                if not formula.is_Symbol and not formula.is_number:
                    expression = expression.subs(formula, self.symbol(node))
        return expression

    def logarithm(self, positive: Collection[Expr] = ()) -> Logarithm:
        """Return what takes logarithms here, where some expressions are above zero."""
        return Logarithm(positive, self.indicators, self.known, self.sizes)

    def symbol(self, node: Node) -> Symbol:
        """Return the symbol of a tensor."""
        if node not in self._by_node:
            symbol = self._new(positive=self._is_positive(node))
            words = self._words.setdefault(node, [])
            self.leaves[symbol] = Leaf(symbol, node=node, wordings=words)
            self._by_node[node] = symbol
        return self._by_node[node]

    def _new(self, *, positive: bool) -> Symbol:
        name = f"v{len(self.leaves)}"
        return Symbol(name, real=True, positive=True if positive else None)

    def _is_positive(self, node: Node) -> bool:
        """Return whether a value is above zero whatever the parameters and inputs are."""
        if not node.value.is_floating_point():
            return False
        if is_fixed(node):
            return bool((node.value > 0).all())
        if plain_name(node.name) in FUNCTIONS and node.function is not None:
            if not bool((node.value > 0).all()):
                return False
            try:
                made_of = self.applied(node, self._leaf)
            except NoFormulaError:
                return False
            return bool(made_of.is_positive)
        if plain_name(node.name) in _SHAPED and node.args:
            inner = node.args[0]
            return isinstance(inner, Node) and self._is_positive(inner)
        return False

    def number(self, user: Node, position: Any, value: float) -> Expr:
        """Return a plain number that an operation was given, as the source writes it."""
        wording = self._wording(user, position, value)
        if wording is None:
            return _literal(value)
        return self._parsed(wording, wording.node)

    def _note(self, user: Node, position: Any, value: Node) -> None:
        """Keep how the source writes a tensor that an operation was given."""
        known = self._words.setdefault(value, [])
        if known or value.function is not None:
            return  # what was computed has a place of its own
        for wording, given in self._given_to(user):
            if given is value or _is_alike(given, value):
                known.append(wording)
                return

    def _wording(self, user: Node, position: Any, value: float) -> Wording | None:
        """Return how the source writes a number that an operation was given."""
        for wording, given in self._given_to(user, position):
            if is_close(given, value):
                return wording
        return self._held_by_module(user, value)

    def _written(self, user: Node) -> Wording | None:
        """Return an operation as it is written."""
        place = user.place
        node = None if place is None else self.sources.at(place)
        execution = None if place is None else self.executions.get(place.call)
        moment = None if execution is None else moment_of(execution, user.index)
        if node is None or execution is None or moment is None:
            return None
        return Wording(execution, moment, node)

    def _given_to(
        self, user: Node, position: Any = None
    ) -> Iterator[tuple[Wording, Any]]:
        """Yield what an operation was given, as it is written, with what that came to.

        A number is looked for at its position first, and is no owner of a method.
        """
        written = self._written(user)
        if written is None:
            return
        found = [operand for _, operand in operands(written.node)]
        if position is not None:
            pairs = sorted(operands(written.node), key=lambda each: each[0] != position)
            found = [operand for _, operand in pairs]
        elif (owner := owner_of(written.node)) is not None:
            found.append(owner)
        for operand in found:
            with contextlib.suppress(LookupError):
                given = value_of(operand, written.moment, written.execution.scope)
                yield replace(written, node=operand), given

    def _held_by_module(self, user: Node, value: float) -> Wording | None:
        """Return the attribute of a torch module, called there, that holds a number."""
        written = self._written(user)
        if written is None or not isinstance(written.node, ast.Call):
            return None
        function = written.node.func
        try:
            module = value_of(function, written.moment, written.execution.scope)
        except LookupError:
            return None
        for name, held in vars(module).items() if isinstance(module, Module) else ():
            if type(held) in (int, float) and is_close(held, value):
                text = f"{ast.unparse(function)}.{name}"
                return replace(written, node=ast.parse(text, mode="eval").body)
        return None

    def _parsed(self, wording: Wording, node: ast.expr) -> Expr:
        """Return a number's formula: arithmetic of what the source names."""
        if isinstance(node, ast.Constant):
            return _literal(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._parsed(wording, node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _EXACT:
            sides = (self._parsed(wording, side) for side in (node.left, node.right))
            return OPERATORS[type(node.op)](*sides)
        value = value_of(node, wording.moment, wording.execution.scope)
        key = ast.unparse(node), wording.execution.call, float(value)
        if key not in self._by_text:
            symbol = self._new(positive=value > 0)
            here = [replace(wording, node=node)]
            self.leaves[symbol] = Leaf(symbol, number=float(value), wordings=here)
            self._by_text[key] = symbol
        return self._by_text[key]

    # --- formulas ---------------------------------------------------------------

    def of(self, node: Node, base: Node, inside: Collection[Node]) -> Expr:
        """Return a value as a formula of another; what is not inside stays a symbol.

        Raises:
            NoFormulaError: an operation inside has none.
        """
        if node is base:
            return self.symbol(base)
        if node not in inside:
            return self._leaf(node)
        if node.name in MOVES:  # behind a mask, or of one number of each sample
            return self.of(node.args[0], base, inside)
        return self.applied(node, lambda inner: self.of(inner, base, inside))

    def _leaf(self, node: Node) -> Expr:
        """Return a value that is held fixed: by its name, else by what it is made of."""
        if node.name == "number":
            return _literal(float(node.value))
        if node.name == "__getitem__" and is_masked(node):
            return self._leaf(node.args[0])
        if not self._is_written_out(node):
            return self.symbol(node)
        if node not in self._made_of:
            self._made_of[node] = self._written_out(node)
        return self._made_of[node]

    def _is_written_out(self, node: Node) -> bool:
        """Return whether a value that is held fixed is told by what it is made of."""
        if node.function is None or node.value.dtype == torch.bool:
            return False
        if node.name in SAME:
            return node not in self.named
        name = plain_name(node.name)
        if name not in FUNCTIONS or name in CLAMPS:
            return (
                False  # a bound that changes nothing here may do so at other parameters
            )
        return node not in self.named or is_fixed(node)

    def _written_out(self, node: Node) -> Expr:
        """Return what a value is made of, or its name where that would be long."""
        if self._is_long(node):
            return self.symbol(node)
        try:
            made_of = self.applied(node, self._leaf)
        except NoFormulaError:
            return self.symbol(node)
        return made_of if sympy.count_ops(made_of) <= _FEW else self.symbol(node)

    def _is_long(self, node: Node) -> bool:
        """Return whether a value is made of more operations than a formula may have.

        An iterate of a solver is, which without this is followed to its beginning.
        """
        seen, waiting = {node}, [node]
        while waiting and len(seen) <= 2 * _FEW:
            made = {p for p in waiting.pop().parents if self._is_written_out(p)} - seen
            seen |= made
            waiting.extend(made)
        return sum(made.name not in SAME for made in seen) > _FEW

    def known(self, symbol: Symbol) -> Expr | None:
        """Return what a symbol's tensor was made of, where a logarithm may make use of it."""
        return None if self.literal else self.definition(symbol)

    def definition(self, symbol: Symbol) -> Expr | None:
        """Return what a symbol's tensor was made of, one operation deep."""
        leaf = self.leaves.get(symbol)
        if leaf is None or leaf.node is None or leaf.node.function is None:
            return None
        node = leaf.node
        if node.value.dtype == torch.bool:
            return None
        name = plain_name(node.name)
        if name in CLAMPS or (name not in FUNCTIONS and node.name not in SAME):
            return None
        try:
            return self.applied(node, self._leaf)
        except NoFormulaError:
            return None

    @cached_property
    def named(self) -> set[Node]:
        """All values that some function held under a name, or as an attribute."""
        found: set[Node] = set()
        for execution in self.executions.values():
            found.update(execution.attributes.values())
            for moment in execution.moments:
                found.update(v for v in moment.held.values() if isinstance(v, Node))
        return found

    def applied(self, node: Node, of: Callable[[Node], Expr]) -> Expr:
        """Return an operation applied to the formulas of its arguments.

        Raises:
            NoFormulaError: it has no formula.
        """
        name = plain_name(node.name)
        if node.name in SAME or name in SAME:
            return of(node.args[0])
        if is_masked(node):
            return self._put(node, of)
        if name not in FUNCTIONS:
            raise NoFormulaError(node, f"`{name}` has no derivative entry by entry")
        if name in CLAMPS and not _changes_nothing(node):
            raise NoFormulaError(node, f"`{name}` is flat where it bounds")
        arguments = [self._given(node, i, a, of) for i, a in enumerate(node.args)]
        if name == "where":
            return self._where(node, arguments)
        named = {
            key: self._given(node, key, value, of)
            for key, value in node.kwargs.items()
            if key not in ("out", "inplace")
        }
        try:
            return FUNCTIONS[name](*arguments, **named)
        except (ValueError, TypeError) as error:
            raise NoFormulaError(node, str(error)) from None

    def _given(
        self, node: Node, position: Any, value: Any, of: Callable[[Node], Expr]
    ) -> Any:
        if isinstance(value, Node) and value.name != "number":
            self._note(node, position, value)
            return of(value)
        number = value.value if isinstance(value, Node) else value
        if isinstance(number, (int, float, Tensor)) and not isinstance(value, bool):
            return self.number(node, position, float(number))
        return value

    def _put(self, node: Node, of: Callable[[Node], Expr]) -> Expr:
        """Return what a value is once a mask has put another one in some of its places."""
        whole, mask, put = (
            self._given(node, i, a, of) for i, a in enumerate(node.args)
        )
        return Where(mask, put, whole)

    def _where(self, node: Node, arguments: list[Any]) -> Expr:
        if len(arguments) != 3:
            raise NoFormulaError(node, "`where` that finds places")
        first = node.args[0]
        if isinstance(first, Node) and first.value.dtype != torch.bool:
            arguments = [arguments[1], arguments[0], arguments[2]]
        return Where(*arguments)


def is_entrywise(node: Node) -> bool:
    """Return whether an operation makes each entry of the one at the same place."""
    return not {node.name, plain_name(node.name)}.isdisjoint(FUNCTIONS.keys() | SAME)


def entries_before(
    formulas: Formulas,
    node: Node,
    begin: Node,
    ends: Callable[[Node], bool] = lambda _: False,
    passes: Callable[[Node], bool] = is_entrywise,
) -> tuple[frozenset[Node], list[Node]]:
    """Return what works entry by entry between two values, and what it `ends` at.

    Raises:
        NoFormulaError: something else lies between.
    """
    inside: set[Node] = set()
    found: dict[Node, None] = {}
    stack = [node]
    while stack:
        current = stack.pop()
        if current is begin or current in inside or current not in formulas.depending:
            continue
        if passes(current):
            inside.add(current)
            stack.extend(current.parents)
        elif ends(current):
            found.setdefault(current)
        else:
            raise NoFormulaError.mixing(current)
    return frozenset(inside), list(found)


def is_masked(node: Node) -> bool:
    """Return whether a mask of the value's own shape tells which entries are taken or put.

    Taken and put by one mask, entries keep their places.
    """
    if node.name not in ("__getitem__", "__setitem__", "masked_fill", "masked_fill_"):
        return False
    whole, mask = node.args[:2]
    return (
        isinstance(mask, Node)
        and mask.value.dtype == torch.bool
        and mask.value.shape == whole.value.shape
    )


def moment_of(execution: Execution, clock: int) -> Moment | None:
    """Return the line of a function that ran when the tape had so many nodes."""
    found = None
    for moment in execution.moments:
        if moment.clock > clock:
            break
        found = moment
    return found


def _literal(value: Any) -> Expr:
    if isinstance(value, float) and value == int(value) and abs(value) < 1e9:
        return sympy.Integer(int(value))
    if isinstance(value, float):
        if len(repr(value)) < 12 and math.isfinite(value):
            return sympy.Rational(repr(value))  # 0.05 is one twentieth
        return sympy.Float(value)
    if isinstance(value, int):
        return sympy.Integer(value)
    raise LookupError("no number")


def _is_alike(given: Any, node: Node) -> bool:
    """Return whether a tensor holds what a node holds."""
    if not isinstance(given, Tensor) or given.shape != node.value.shape:
        return False
    return torch.equal(given.detach().to(node.value), node.value)


def is_indicator(node: Node) -> bool:
    """Return whether all entries of a value are 0 or 1, whatever the parameters."""
    value = node.value
    if value.dtype == torch.bool:
        return True
    return bool(((value == 0) | (value == 1)).all()) and is_fixed(node)


def _changes_nothing(node: Node) -> bool:
    inner = node.args[0]
    return (
        isinstance(inner, Node)
        and inner.value.shape == node.value.shape
        and torch.equal(inner.value.to(node.value), node.value)
    )
