"""Products of a map's Jacobians with vectors, and what they cost in calls of the map.

`J[b, i, j] = dy[b, i] / dx[b, j]`, event axes flattened. What is studied is the matrix A,
which is J transposed where reverse mode serves, since one recorded call then gives any
number of products, and J itself where only forward mode or differences do. Both have the
same determinant. A vector lives on the *sources* of A (the outputs of the map in reverse
mode, else its inputs), a product on its *lines* (the inputs in reverse mode, else the
outputs). All samples are multiplied at once: where samples influence each other, so do
their products.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import torch
import torch.autograd.forward_ad as fwAD  # torch's own spelling
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from ldjcheck.records.words import Method
from ldjcheck.running.observers.calls import Point, point_of

EventMap = Callable[[Tensor], Tensor]
"""A map of `(batch, *event)` to `(batch, *event)`, sample by sample."""

FEW = 20  # products: one by one they are done before torch has imported what vmap wants
_MOST = 64  # products that are taken at once
_BUDGET = 2.0**28  # bytes that one tensor of a batch of products may take
_STEP = 1e-4  # of a difference that is extrapolated from two of them
_BLUR = 2.0**20  # units in the last place that such a difference is off by


class NoProductsError(Exception):
    """Neither automatic differentiation nor differences go through this map."""


class NoTensorError(TypeError):
    """A map returned something else than a tensor."""


class UnequalDimsError(ValueError):
    """The output of a map has another number of entries per sample than its input."""


_IN_ANY_CASE = (UnequalDimsError, NoTensorError)  # however the map is called


class CountedMap:
    """A map that counts its calls: they are what a check costs."""

    def __init__(self, f: EventMap) -> None:
        self.calls = 0
        self._f = f

    def __call__(self, x: Tensor) -> Any:
        """Return what one call returns."""
        self.calls += 1
        return self._f(x)


class Products(ABC):
    """The products of a map's Jacobians at the points x, one matrix per sample.

    Counts what was spent: `calls` of the map, and `products`.
    """

    method: Method
    is_transposed = False  # is A J transposed? Then vectors live on outputs

    def __init__(self, f: CountedMap, x: Tensor) -> None:
        self.x = x.detach()
        self.batch = len(x)
        self.dims = x[0].numel()
        self.products = 0
        self._f = f
        self.y = self.x.new_empty(0)  # (batch, dims), once the map was called
        self.event_out: tuple[int, ...] = ()

    @property
    def calls(self) -> int:
        """How often the map was called, in vain attempts too."""
        return self._f.calls

    @property
    def epsilon(self) -> float:
        """The rounding unit of the products."""
        return max(torch.finfo(each.dtype).eps for each in (self.x, self.y))

    @property
    def source_event(self) -> tuple[int, ...]:
        """The event shape of what vectors live on."""
        return tuple(self.event_out if self.is_transposed else self.x.shape[1:])

    @property
    def line_event(self) -> tuple[int, ...]:
        """The event shape of products."""
        return tuple(self.x.shape[1:] if self.is_transposed else self.event_out)

    def times(self, w: Tensor) -> Tensor:
        """Return A w of one vector per sample, `(batch, dims)`, or of k of them.

        Raises:
            NoProductsError: it cannot be worked out.
        """
        return self._counted(w, self._times)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return A^T v likewise, the product from the other side.

        Raises:
            NoProductsError: it cannot be worked out, or the two sides contradict.
        """
        return self._counted(v, self._times_transposed)

    def _counted(self, w: Tensor, times: Callable[[Tensor], Tensor]) -> Tensor:
        many = w if w.dim() == 3 else w[None]
        self.products += len(many)
        found = times(many.to(self.x)).to(torch.float64)
        return found if w.dim() == 3 else found[0]

    @abstractmethod
    def _times(self, w: Tensor) -> Tensor: ...

    def _times_transposed(self, v: Tensor) -> Tensor:
        raise NoProductsError

    def value(self, x: Tensor) -> Tensor:
        """Return y at other points, `(batch, dims)` in and out, in float64."""
        return self._called(x.to(self.x).reshape(self.x.shape)).detach().double()

    def _called(self, x: Tensor) -> Tensor:
        """Return y, flat, of one counted call.

        Raises:
            NoTensorError: something else came back.
            NoProductsError: what comes back is no batch of real numbers.
            UnequalDimsError: it has another number of dims.
        """
        y = self._f(x)
        if not isinstance(y, Tensor):
            raise NoTensorError(type(y).__name__)
        if not y.is_floating_point() or not y.dim() or len(y) != self.batch:
            raise NoProductsError
        if y[0].numel() != self.dims:
            raise UnequalDimsError(self.dims, y[0].numel())
        if not self.event_out:
            self.y, self.event_out = (
                y.detach().reshape(self.batch, -1),
                tuple(y.shape[1:]),
            )
        return y.reshape(self.batch, -1)


class ReverseProducts(Products):
    """Products `w^T J` by reverse mode, all from one recorded call where that goes."""

    method: Method = "reverse"
    is_transposed = True

    def __init__(self, f: CountedMap, x: Tensor) -> None:
        super().__init__(f, x)
        self._keeps = True  # a recorded call can be gone through more than once
        self._served = False  # it could once
        self._end: GradientEdge | None = None  # where it ends, if that is no tensor
        self._graph: tuple[Tensor | GradientEdge, Tensor] | None = self._recorded()
        self._at_once = 0  # products, once it was looked how many

    @property
    def points(self) -> tuple[Point, Point]:
        """Return where the recorded call begins and ends.

        Raises:
            NoProductsError: none is kept.
        """
        if self._graph is None:
            raise NoProductsError
        leaf, y = self._graph
        assert isinstance(leaf, Tensor)
        return point_of(leaf), point_of(y)

    def _recorded(self) -> tuple[Tensor | GradientEdge, Tensor]:
        with torch.inference_mode(False), torch.enable_grad():
            leaf = self.x.clone().requires_grad_()
            # a clone: maps that write into their argument may not do so to a leaf
            y = self._called(leaf.clone())
        if not y.requires_grad:
            raise NoProductsError
        return leaf, y

    def _times(self, w: Tensor) -> Tensor:
        if len(w) > FEW and self.method == "reverse" and self._graph is not None:
            parts = w.split(self._size(self._graph[1]))
            try:
                found = [self._back(*self._graph, part, many=True) for part in parts]
                return found[0] if len(found) == 1 else torch.cat(found)
            except Exception:  # vmap breaks on some backward functions
                self.method = "reverse-looped"
        return torch.stack([self._single(each) for each in w])

    def _single(self, w: Tensor) -> Tensor:
        try:
            graph = self._graph or self._recorded()
            self._graph = graph if self._keeps else None
            found = self._back(*graph, w)
        except Exception as error:
            if not self._keeps or not self._served:
                raise NoProductsError from error
            # What the call kept for the way back is gone: each product has its own.
            self._keeps, self._graph = False, None
            return self._single(w)
        self._served = True
        return found

    def _back(
        self, leaf: Tensor | GradientEdge, y: Tensor, w: Tensor, *, many: bool = False
    ) -> Tensor:
        """Return w^T J of one vector per sample, or of as many as there are at once."""
        with torch.inference_mode(False), torch.enable_grad():
            (found,) = torch.autograd.grad(
                self._end or y, leaf,
                w.to(y).reshape(len(w), *y.shape) if many else w.to(y).reshape(y.shape),
                retain_graph=many or self._keeps,
                allow_unused=True,
                is_grads_batched=many,
            )  # fmt: skip
        return torch.zeros_like(w) if found is None else found.detach().reshape(w.shape)

    def _size(self, y: Tensor) -> int:
        """Return how many products are taken at once, so that memory stays bounded."""
        if not self._at_once:
            last = y.grad_fn if self._end is None else self._end.node
            largest = max(y.numel(), largest_behind(last)) * y.element_size()
            self._at_once = max(1, min(_MOST, int(_BUDGET / max(largest, 1))))
        return self._at_once

    def _times_transposed(self, v: Tensor) -> Tensor:
        """Return J v by forward mode, else by differentiating `w^T J` by w.

        Custom functions may be silently wrong in either, so `w^T (J v) = (w^T J) v` is
        asked of them.
        """
        w = torch.rand_like(self.y) + 0.5
        back = self.times(w)
        forward = partial(forward_product, self._called, self.x)
        for way in (self._doubled, forward):  # the latter calls the map
            try:
                found = torch.stack([way(each) for each in v])
            except Exception:  # each way breaks on other layers
                continue
            if self._agrees(w, back, v, found):
                return found
        raise NoProductsError

    def _agrees(self, w: Tensor, back: Tensor, v: Tensor, found: Tensor) -> bool:
        here = (w * found).double()
        there = back * v.double()
        size = here.abs().sum(-1) + there.abs().sum(-1)
        off = (here.sum(-1) - there.sum(-1)).abs()
        return bool((off <= 1e3 * self.epsilon * size).all())

    def _doubled(self, v: Tensor) -> Tensor:
        leaf, y = self._graph or self._recorded()
        with torch.inference_mode(False), torch.enable_grad():
            w = torch.zeros_like(y).requires_grad_()
            (back,) = torch.autograd.grad(self._end or y, leaf, w, create_graph=True)
            (found,) = torch.autograd.grad(
                back, w, v.reshape(back.shape).to(back), allow_unused=True
            )
        found = torch.zeros_like(y) if found is None else found.detach()
        return found.reshape(self.batch, -1)


class PartialProducts(ReverseProducts):
    """Products of a part of a recorded call, from one point on the way to another."""

    def __init__(self, whole: ReverseProducts, start: Point, end: Point) -> None:
        self._points = start, end
        super().__init__(whole._f, start.tensor)
        self._end = None if end.tensor.requires_grad else end.edge
        self.y = end.tensor.detach().reshape(self.batch, -1)
        self.event_out = tuple(end.tensor.shape[1:])

    def _recorded(self) -> tuple[Tensor | GradientEdge, Tensor]:
        start, end = self._points
        if start.edge is None or end.edge is None:
            raise NoProductsError
        return start.edge, end.tensor

    def _called(self, x: Tensor) -> Tensor:
        raise NoProductsError  # what lies between two points is not called by itself

    @property
    def calls(self) -> int:
        """None of its own."""
        return 0


class ForwardProducts(Products):
    """Products `J v` by forward mode, each of which is a call of the map."""

    method: Method = "forward"

    def _times(self, w: Tensor) -> Tensor:
        try:
            return torch.stack(
                [forward_product(self._called, self.x, each) for each in w]
            )
        except _IN_ANY_CASE:
            raise
        except Exception as error:  # whatever the map makes of a dual number
            raise NoProductsError from error


class DifferenceProducts(Products):
    """Products `J v` by central differences, extrapolated from two steps (Richardson)."""

    method: Method = "differences"

    @property
    def epsilon(self) -> float:
        """What rounding leaves of a difference, relative to the map's slopes."""
        return super().epsilon * _BLUR

    def _times(self, w: Tensor) -> Tensor:
        found = []
        for each in w:
            size = float(each.abs().max()) or 1.0
            near, far = (self._slope(each / size, h) for h in (_STEP, 2 * _STEP))
            found.append((4 * near - far) / 3 * size)
        return torch.stack(found)

    def _slope(self, v: Tensor, step: float) -> Tensor:
        x = self.x.reshape(self.batch, -1)
        return (self.value(x + step * v) - self.value(x - step * v)) / (2 * step)


AUTOGRAD: tuple[type[Products], ...] = (ReverseProducts, ForwardProducts)
WAYS: tuple[type[Products], ...] = (*AUTOGRAD, DifferenceProducts)
"""From the exact and cheap one to the one that always serves."""


def opened(
    f: EventMap, x: Tensor, w: Tensor, ways: tuple[type[Products], ...] = WAYS
) -> tuple[Products, Tensor]:
    """Return the first way to products that works, and A w by it.

    Raises:
        NoProductsError: none does.
        NoTensorError: the map returns something else.
        UnequalDimsError: the Jacobians are not square.
    """
    counted = CountedMap(f)
    for way in ways:
        try:
            products = way(counted, x)
            return products, products.times(w)
        except _IN_ANY_CASE:
            raise
        except Exception:  # what a layer raises under differentiation is its own
            continue
    raise NoProductsError


def forward_product(f: EventMap, x: Tensor, v: Tensor) -> Tensor:
    """Return J v `(batch, dims)` of a map by forward mode, zeros where y hangs on no x."""
    with torch.inference_mode(False), torch.enable_grad(), fwAD.dual_level():
        y = f(fwAD.make_dual(x.clone(), v.reshape(x.shape)))
        tangent = fwAD.unpack_dual(y).tangent
    if tangent is None:
        raise NoProductsError
    found: Tensor = tangent.detach()
    return found


def largest_behind(last: Node | None) -> int:
    """Return the number of entries of the largest gradient on the way back from there."""
    largest, seen, left = 0, set[object](), [last]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for held in getattr(node, "_input_metadata", ()):
            largest = max(largest, prod(held.shape))
        left += [following for following, _ in node.next_functions]
    return largest
