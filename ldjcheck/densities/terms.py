"""A density on its tape: the terms that it is a sum of, and what each depends on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ldjcheck.densities.mass import adds_up, log_mass, near
from ldjcheck.numerics.centre_of_mass import beside_the_whole
from ldjcheck.numerics.closeness import same
from ldjcheck.tape import (
    Node,
    Place,
    ancestors,
    dependents,
    descendants,
    evaluate,
    in_order,
    users_among,
)
from ldjcheck.tape.node import chain, dominators, linear_positions
from ldjcheck.tape.recorder import Recorder
from ldjcheck.torch_ops import CASTS, RANDOM

_LOOKS = 40  # values that z may be, the last ones first
_FIRST = 5  # values that x is taken apart into
_REMEMBERED = 12  # batches of points at which a component is asked, one after the other
_MIXED = 64  # components of a mixture
_CENTRED = 1e-9  # relative: by rounding alone a centre is off the origin
_CHUNK = 1 << 20  # entries that are worked out at once


class Heard(Recorder):
    """A tape of what a model computes; where in its source, only if that is asked."""

    def __init__(self, *, placed: bool = False) -> None:
        super().__init__()
        self._placed = placed

    def _places(self) -> tuple[Place, ...]:
        return super()._places() if self._placed else ()

    def _record(self, *args: Any) -> None:
        with torch._C.DisableTorchFunction():  # what is noted is no part of the model
            super()._record(*args)

    def _snapshot(self, target: Tensor) -> None:
        with torch._C.DisableTorchFunction():
            super()._snapshot(target)

    def _spread(self, *args: Any) -> None:
        with torch._C.DisableTorchFunction():
            super()._spread(*args)

    def _node(self, tensor: Tensor) -> Node:
        with torch._C.DisableTorchFunction():
            return super()._node(tensor)


class DensityTerms:
    """A density taken apart into its terms, and what each of them depends on."""

    def __init__(
        self,
        node: Node,
        source: Node,
        atoms: Collection[Node],
        factor: float,
        batch: int,
    ) -> None:
        self.node, self.source = node, source
        self.factor, self.batch = factor, batch
        self.order = in_order(ancestors(node))
        self._atoms = atoms
        self.depending = dependents(self.order, source)
        self._above = dominators(self.order, self.depending, source)
        self.inside, self.ends = self._linear()
        terms = [end for end in self.ends if end not in atoms]
        self.through = {
            end: tuple(chain(end, self._above))
            for end in terms
            if end in self.depending
        }
        self.fixed = [end for end in terms if end not in self.depending]
        self.free = list(self.through)
        self.of_map = set[Node]()  # what the parts of z that are known are made of
        self.masses = dict[
            tuple[Node, tuple[Node, ...], bool], tuple[Tensor, float] | None
        ]()  # of terms, as functions of z
        self._ways: dict[tuple[Node, ...], list[Node]] = {}
        self._held: dict[Node, Tensor] = {}
        self.parts: tuple[Node, ...] = ()  # of z, that are known
        self.given: Sequence[Node] = ()  # parts of z that are held, whatever moves
        self.results: list[Node] = []  # what the model returns beside the density
        self.handed: dict[Node, Node] = {}  # z that flows returned, with their ldj

    @cached_property
    def penalties(self) -> list[Node]:
        """The norms of what is learnt: terms of a loss, and of no density.

        No x moves them, a turned sign of all that is learnt does not either, and they grow
        with it as a norm or its square do: no logarithm of a determinant does all that. That
        of one vector may be its place in a base; weights, or all that is learnt, are none.
        """
        found = [end for end in self.fixed if _is_norm(end)]
        leaves = {node for node in ancestors(*found) if node.learnable}
        learnt = {node for node in self.order if node.learnable}
        is_all = len(learnt) > 1 and leaves == learnt
        return found if is_all or any(leaf.value.dim() > 1 for leaf in leaves) else []

    def _linear(self) -> tuple[list[Node], list[Node]]:
        """Return the values that the density is a sum of, and those where terms end."""
        users = users_among(self.order)
        plain: set[Node] = set()
        for node in reversed(self.order):
            uses = users.get(node, ())
            if node is self.node or (
                uses and all(u in plain and _is_linear_in(u, node) for u in uses)
            ):
                plain.add(node)
        inside: set[Node] = set()
        ends: set[Node] = set()
        waiting = [self.node]
        while waiting:
            node = waiting.pop()
            places = linear_positions(node)
            if node in inside or node in ends:
                continue
            if node in self._atoms or node not in plain or not places:
                ends.add(node)
                continue
            inside.add(node)
            waiting += [node.argument(place) for place in places]
        return in_order(inside), in_order(ends)

    def of(self, terms: Collection[Node], value_of: Callable[[Node], Tensor]) -> Tensor:
        """Return what terms of these values come to, in nats, `(batch,)`."""
        values = {**self._of_nothing, **{end: value_of(end) for end in terms}}
        for node in self._adding(tuple(terms)):
            values[node] = evaluate(node, lambda n: values.get(n, n.value))
        total: Tensor = self.factor * values[self.node]
        if total.numel() == 1:
            return total.reshape(-1).expand(self.batch)
        return total.reshape(self.batch, -1).sum(1)

    @cached_property
    def _of_nothing(self) -> dict[Node, Tensor]:
        """What the sum and its parts are without any term: 0, but for plain numbers."""
        values = {end: torch.zeros_like(end.value) for end in self.ends}
        for node in self.inside:
            values[node] = evaluate(node, lambda n: values.get(n, n.value))
        return values

    def _adding(self, terms: tuple[Node, ...]) -> list[Node]:
        """Return `adding`, in order; it is asked for at every point."""
        if terms not in self._ways:
            self._ways[terms] = in_order(self.adding(terms))
        return self._ways[terms]

    def of_z(self, terms: Collection[Node], z: Node) -> Callable[[Tensor], Tensor]:
        """Return terms as a function of z: `(points, batch, dims)` to `(points, batch)`."""
        between = self.between(terms, z)

        def alone(value: Tensor) -> Tensor:
            values = _rerun(between, z, value)
            return self.of(terms, lambda end: values.get(end, end.value))

        return lambda points: _in_chunks(alone, points)

    def as_function_of(self, z: Node) -> Callable[[Tensor], Tensor]:
        """Return all of the density as a function of z, with all else held.

        It is minus infinity where it overflows: there is no mass so far out.
        """
        between = self.after(z)

        def whole(value: Tensor) -> Tensor:
            total = _rerun(between, z, value)[self.node].reshape(self.batch, -1).sum(1)
            return torch.where(torch.isnan(total), -torch.inf, self.factor * total)

        return lambda points: _in_chunks(whole, points)

    def after(self, z: Node) -> list[Node]:
        """Return all that z has a part in, conditions too, on the way to the density."""
        later = [node for node in self.order if node.index > z.index]
        having = descendants([z, *later], z)
        return [node for node in later if node in having]

    def between(self, terms: Collection[Node], z: Node) -> list[Node]:
        """Return what is computed from z on the way to these terms."""
        needed = ancestors(*terms, beyond=self.given)
        later = [node for node in self.order if node.index > z.index]
        depending = dependents([z, *later], z)
        return [node for node in later if node in needed and node in depending]

    def adding(self, terms: Collection[Node]) -> set[Node]:
        """Return what of the sum lies on the way from these terms to the density."""
        found: set[Node] = set()
        for term in terms:
            found |= dependents([term, *self.inside], term) - {term}
        return found

    def components(
        self, terms: Collection[Node], z: Node
    ) -> list[Callable[[Tensor], Tensor]]:
        """Return the components of a mixture, each as a function of z, if terms are one.

        That is a log of a sum, of exponentials or not, and nothing else.
        """
        (term, *others) = terms
        inner = term.args[0] if term.args else None
        of_logs = term.name == "logsumexp"
        if term.name == "log" and isinstance(inner, Node) and inner.name == "sum":
            inner = inner.args[0]
        elif not of_logs:
            return []
        if others or not isinstance(inner, Node):
            return []
        total = self.of(terms, lambda end: end.value)
        own = term.value.reshape(-1)
        if own.shape != total.shape or not torch.allclose(own, total):
            return []
        between = self.between([inner], z)

        def alone(value: Tensor) -> Tensor:
            inside: Tensor = _rerun(between, z, value).get(inner, inner.value)
            inside = inside if of_logs else inside.log()
            return inside.reshape(self.batch, -1)

        count = inner.value[0].numel()
        if inner.value.shape[0] != self.batch or count > _MIXED:
            return []

        all_of_them = _remembering(lambda points: _in_chunks(alone, points))

        def component(index: int) -> Callable[[Tensor], Tensor]:
            return lambda points: all_of_them(points)[..., index]

        return [component(index) for index in range(count)]

    def log_mass(
        self, z: Node, terms: tuple[Node, ...], *, padded: bool = False
    ) -> tuple[Tensor, float] | None:
        """Return log of the integral of exp of terms over z, `(batch,)`, and its error.

        Over what x moves of z, or over what is `padded` as well. None where it is not
        known: of what is neither quadratic in z nor a sum over its entries, nor a mixture
        of such.
        """
        key = z, terms, padded
        if key not in self.masses:
            self.masses[key] = self._integrated(*key)
        return self.masses[key]

    def _integrated(
        self, z: Node, terms: tuple[Node, ...], padded: bool
    ) -> tuple[Tensor, float] | None:
        at, held = near(z.value.reshape(self.batch, -1).double()), self.held(z)
        if bool(held.all()) and not padded:
            return None  # no x moves it, as it does not 0 times a mean
        if _is_centred(z.value):
            basis, f = beside_the_whole(z.value.shape[1:]), self.of_z(terms, z)
            return log_mass(lambda u: f(u @ basis.mT), at @ basis)
        functions = self.components(terms, z) or [self.of_z(terms, z)]
        if bool(held.any()) and not padded:
            functions = [where_free(function, at, held) for function in functions]
        found = [log_mass(function, at) for function in functions]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        if len(known) == 1:
            return known[0]
        logs = torch.stack([log for log, _ in known])
        return torch.logsumexp(logs, dim=0), max(2e-4, *(error for _, error in known))

    def log_mass_of_bits(
        self, z: Node, terms: tuple[Node, ...]
    ) -> tuple[Tensor, float] | None:
        """Return log of the sum of exp of terms over all z of zeros and ones, `(batch,)`.

        None where they do not add up over the entries of z.
        """
        f, at = self.of_z(terms, z), z.value.reshape(self.batch, -1).double()
        if not adds_up(f, at, torch.Generator().manual_seed(0)):
            return None
        nothing = f(0 * at[None])[0]
        ones = f(0 * at + torch.eye(at.shape[1], dtype=at.dtype)[:, None]) - nothing
        return nothing + torch.nn.functional.softplus(ones).sum(0), 1e-9 * len(ones)

    def narrowest(self, z: Node, other: Node) -> float:
        """Return how many entries of a sample both are made of at least: noise adds more."""
        if any(n.random or n.name in RANDOM for n in ancestors(z, other)):
            return math.inf
        common = {*chain(z, self._above)} & {*chain(other, self._above)}
        return min(node.value[0].numel() for node in {*common, self.source})

    def held(self, z: Node) -> Tensor:
        """Return which entries of z no x moves, `(batch, dims)`: those that are padded."""
        if z not in self._held:
            x = self.source.value
            noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
            between = self.between([z], self.source)
            moved = _rerun(between, self.source, x + noise.to(x)).get(z, z.value)
            self._held[z] = (moved == z.value).reshape(self.batch, -1)
        return self._held[z]

    def without(self, taken: Collection[Node], parts: Sequence[Node]) -> DensityTerms:
        """Return it with terms taken out, so that none is counted twice.

        `parts` are the parts of z that are known.
        """
        rest = copy.copy(self)
        rest.fixed = [term for term in self.fixed if term not in taken]
        rest.free = [term for term in self.through if term not in taken]
        rest.of_map = self.of_map | ancestors(*parts)
        rest.parts = *self.parts, *parts
        return rest

    def made_alone_of(self, z: Node) -> list[Node]:
        """Return z, and what it is made of with nothing else that depends on x."""
        found: list[Node] = []
        live = [z]
        while len(live) == 1 and live[0].value.numel() == z.value.numel():
            found += live
            live = [node for node in live[0].parents if node in self.depending]
        return found

    def at_given(self, parts: Sequence[Node]) -> DensityTerms:
        """Return it with parts of z held still: what is made of them stays as it is."""
        held = copy.copy(self)
        held.given, held.masses = parts, {}
        return held

    @cached_property
    def candidates(self) -> list[Node]:
        """What z may be, the last first: a value of floats with a row for each sample."""
        found = {node for way in self.through.values() for node in way}
        fitting = [node for node in found if self._may_be_z(node)]
        return sorted(fitting, key=lambda node: -node.index)[:_LOOKS]

    def _may_be_z(self, node: Node) -> bool:
        value = node.value
        batch_first = value.dim() > 0 and len(value) == self.batch
        return batch_first and value.is_floating_point() and value.numel() > 0

    @cached_property
    def first(self) -> list[Node]:
        """What x is taken apart into, and other first values that are made of it."""
        fitting = [node for node in in_order(self.depending) if self._may_be_z(node)]
        return fitting[1:_FIRST]

    def further(self, known: Iterable[Node]) -> list[Node]:
        """Return what a part of z may be, if its density is told by others, the last first.

        What parts that are `known` are made of has not left where it was dropped.
        """
        found = (ancestors(*self.through) - ancestors(*known)) & self.depending
        fitting = [node for node in found if self._may_be_z(node)]
        return sorted(fitting, key=lambda node: -node.index)[:_LOOKS]

    def terms_with(self, z: Node) -> tuple[Node, ...]:
        """Return the terms that depend on z in any way."""
        return tuple(end for end in self.through if z in ancestors(end))

    def terms_through(self, z: Node) -> tuple[Node, ...]:
        """Return the terms that depend on x through z alone."""
        return tuple(end for end, way in self.through.items() if z in way)


def _is_norm(term: Node) -> bool:
    """Return whether a value is a norm of parameters, or the square of one."""
    order = in_order(ancestors(term))
    if not any(node.learnable for node in order) or not bool(term.value.any()):
        return False

    def scaled(by: float) -> Tensor:
        values: dict[Node, Tensor] = {}
        for node in order:
            if node.learnable:
                values[node] = by * node.value
            elif node.function is not None:
                values[node] = evaluate(node, lambda n: values.get(n, n.value))
        return values.get(term, term.value)

    turned, twice = scaled(-1.0), scaled(2.0)
    grows = any(same(twice, power * term.value) for power in (2.0, 4.0))
    return grows and same(turned, term.value)


def _is_centred(z: Tensor) -> bool:
    """Return whether it is particles, `(batch, N, D)`, whose centre of mass is the origin.

    A density of these has its mass over the directions that leave the centre there.
    """
    if z.dim() != 3 or z.shape[1] < 2:
        return False
    centre = z.mean(dim=1).abs().amax()
    return bool(centre <= _CENTRED * z.abs().amax())


def _remembering(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that is asked at the same points again, of each component of many."""
    known: list[tuple[Tensor, Tensor]] = []

    def at(points: Tensor) -> Tensor:
        if points.requires_grad:
            return function(points)
        for before, answer in known:
            if torch.equal(before, points):
                return answer
        answer = function(points)
        known.append((points, answer))
        del known[:-_REMEMBERED]
        return answer

    return at


def _is_linear_in(user: Node, node: Node) -> bool:
    uses = sum(parent is node for parent in user.parents)
    return uses == sum(user.argument(p) is node for p in linear_positions(user))


def _rerun(between: Sequence[Node], z: Node, value: Tensor) -> dict[Node, Tensor]:
    """Return the values that come after z, with z set to another value.

    What casts to another precision is passed over: it is computed in what was recorded.
    """
    values = {z: value.reshape(z.value.shape)}
    for node in between:
        if node.name in CASTS and isinstance(node.args[0], Node):
            values[node] = values.get(node.args[0], node.args[0].value)
        else:
            values[node] = evaluate(node, lambda n: values.get(n, n.value))
    return values


def where_free(
    function: Callable[[Tensor], Tensor], at: Tensor, held: Tensor
) -> Callable[[Tensor], Tensor]:
    """Return a function of z whose held entries stay, and have a density of mass 1."""

    def free(points: Tensor) -> Tensor:
        beside = torch.where(held, points, 0.0)
        normal = -(beside**2) / 2 - math.log(2 * math.pi) / 2 * held
        return function(torch.where(held, at, points)) + normal.sum(-1)

    return free


def _in_chunks(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    size = max(1, _CHUNK // max(1, points[0].numel()))
    return torch.cat([torch.vmap(function)(some) for some in points.split(size)])
