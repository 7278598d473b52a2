"""The bench on which a layer is run: copies of it that are warmed up, moved, in float64."""

from __future__ import annotations

import contextlib
import inspect
import math
import types
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from ldjcheck.calling.domains import REAL
from ldjcheck.calling.domains import draw as drawn
from ldjcheck.errors import LAYERS_OWN
from ldjcheck.object_graph import (
    attributes,
    of_another,
    owner_of,
    reachable,
    tensors,
)
from ldjcheck.records import Calls, Domain, Layer, Options, Probe, Shape
from ldjcheck.records.asked import Context, Given, Stage
from ldjcheck.records.side import Turned
from ldjcheck.records.words import Region
from ldjcheck.running.failed_calls import (
    FailedCallError,
    LayerRaisedError,
    OtherSizeError,
    UnexpectedReturnError,
)
from ldjcheck.running.guard import Frozen
from ldjcheck.running.held_state import Axes, Counted, hold, keep_up, sizes_at
from ldjcheck.running.placement import dtype_of, moved, usable
from ldjcheck.running.runner import Runner
from ldjcheck.running.snapshot.blueprint import Blueprint, NoBlueprintError, Still
from ldjcheck.running.snapshot.isolation import (
    copied,
    learnable,
    movable,
    promoted,
    reseed,
    set_mode,
    switch,
)

_PLAIN = (bool, int, float, str, tuple)  # values that say how a layer is built
_TIMES = 2  # as large is another size: what is halved still can be
_MOST = 512  # dims that a layer is built for beside its own
_FURTHER = Domain(kind="int", low=0, high=4)  # labels, more than are made up
_GAIN = 2.0  # of a move of weights: as far as to initialise them once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of a layer on its device, in its mode and precision."""

    layer: Any
    said: str | None = None  # what to say when it is no deep copy
    constants: tuple[Tensor, ...] = ()  # made in float32, and not moved by training
    learnable: tuple[Tensor, ...] = ()  # as long as the layer makes no more


@dataclass(frozen=True, slots=True, kw_only=True)
class _Master:
    """A copy that is ready and is never run, and what all others are made from."""

    original: Any
    copy: Copy
    blueprint: Blueprint | None

    def again(self) -> Copy | None:
        """Return another copy; None where it takes the layer's own way."""
        if self.blueprint is None:
            return None
        constants, movable = self.copy.constants, self.copy.learnable
        twin, followed = self.blueprint.copy((*constants, *movable))
        return Copy(
            layer=twin,
            constants=tuple(followed[: len(constants)]),
            learnable=tuple(followed[len(constants) :]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One way of calling one layer at one size; makes runners on fresh copies of it.

    Args:
        layer: the user's; itself never run unless it can neither be copied nor rebuilt.
        options: mode, seed, context and keyword arguments are taken from here.
        promote: float64 throughout; False runs the layer as written.
        calls: how it is called.
        shape: of one event.
        batch: events in a batch.
        domain: where events live.
        labels: contexts that are class labels, whole numbers.
    """

    layer: Layer
    options: Options
    promote: bool
    calls: Calls
    shape: Shape
    batch: int
    domain: Domain
    fixed: frozenset[int] = frozenset()  # learnable tensors that are not moved
    labels: frozenset[str] = frozenset()
    behaviour: bool = True  # also measured: repeatability, coupling, the contract
    apart: bool = False  # samples are known not to influence each other
    solves: bool = False  # the way back is known to have no derivative of its own
    losses: bool = True  # also allowed: digits that are lost on the way
    patience: float = math.inf  # the operations after which a call counts as endless
    exactly: bool = False  # no ldj may approximate, be it ever so close
    primed: Domain | None = None  # where the call lives that must go before all others
    fed_at: Shape | None = None  # the event shape that the contexts' sizes go with
    same_context: bool = False  # all samples have one, and no one of its own
    # Masks hold ones alone, zeros and ones by turns, or leave out the end of a sample.
    masks: Literal["ones", "mixed", "padded"] = "ones"
    # Whole numbers that the layer holds, and whose sizes they are.
    sized: Mapping[Counted, Axes] = field(default_factory=dict)
    there_and_back: bool = False  # the first call of the way back starts it, too
    through_inverse: bool = False  # inputs are what the way back makes of those drawn
    masters: dict[Hashable, _Master] = field(
        default_factory=dict, compare=False, repr=False
    )  # shared by all benches that one was made into
    # whether a call leaves a copy as it was; likewise
    idle: dict[Hashable, bool] = field(default_factory=dict, compare=False, repr=False)
    # whether a call runs longer with a number made finer; likewise
    longer: dict[Hashable, bool] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def dtype(self) -> torch.dtype:
        """The precision of what the layer is given."""
        return torch.float64 if self.promote else dtype_of(self.layer.obj)

    def copy(self) -> Copy:
        """Return a copy of the layer, or what stands for one where it cannot be copied."""
        kind = self._kind()
        if kind in self.masters:
            return self.masters[kind].again() or self._made()
        first = self._made()
        if first.said is not None:
            return first
        try:
            blueprint = Blueprint(first.layer)
        except NoBlueprintError:
            blueprint = None
        master = _Master(original=self.layer.obj, copy=first, blueprint=blueprint)
        self.masters[kind] = master
        return master.again() or self._made()

    def built_anew(self, seed: int) -> Bench | None:
        """Return the bench with the layer as it is built under another seed, or None.

        By its target's expression, or by its class, given what it holds under the names of
        the arguments that it needs.
        """
        reseed(seed)
        try:
            if self.layer.rebuild is not None:
                built = self.layer.rebuild()
            else:
                built = built_like(self.layer.obj)
        except LAYERS_OWN:
            return None
        if built is None or built is self.layer.obj:
            return None
        layer = replace(self.layer, obj=built, rebuild=None)
        return replace(self, layer=layer, masters={}, idle={}, longer={})

    def for_other_sizes(self, axes: Sequence[int]) -> Iterator[Bench]:
        """Yield the bench with the layer as its class builds it for other sizes of some axes.

        An argument is the size of an axis, or holds it in a shape, where a layer of that size
        holds tensors of the shapes that this one's have, and one of another size does not.
        """
        obj = self.layer.obj
        own = [tensor.shape for tensor in tensors(obj)]
        for axis in axes:
            size, other = self.shape[axis], _TIMES * self.shape[axis]
            shape = (*self.shape[:axis], other, *self.shape[axis + 1 :])
            for name in _arguments(obj) if math.prod(shape) <= _MOST else ():
                reseed(self.options.seed)
                try:
                    built = [
                        built_like(
                            obj, **{name: _sized(obj, name, self.shape, axis, n)}
                        )
                        for n in (size, other)
                    ]
                except LAYERS_OWN:
                    continue
                held = [[t.shape for t in tensors(each)] for each in built]
                if built[1] is not None and held[0] == own != held[1]:
                    layer = replace(self.layer, obj=built[1], rebuild=None)
                    yield replace(
                        self, layer=layer, shape=shape, masters={}, idle={}, longer={}
                    )
                    break

    def with_further_labels(self) -> Bench | None:
        """Return the bench fed with labels beside 0 and 1; None where none were made up."""
        fed = tuple(
            each._replace(domain=_FURTHER)
            if each.name in self.labels and each.domain is None
            else each
            for each in self.options.context
        )
        if fed == self.options.context:
            return None
        return replace(self, options=replace(self.options, context=fed))

    def _kind(self) -> Hashable:
        """Return what copies are alike in."""
        options = self.options
        return id(self.layer.obj), options.mode, usable(options.device), self.promote

    def _made(self) -> Copy:
        said = None
        try:
            twin = copied(self.layer.obj)
        except LAYERS_OWN as error:  # the layer's own copying may fail anyhow
            reason = f"it cannot be copied ({type(error).__name__})"
            if self.layer.rebuild is not None:
                twin = self.layer.rebuild()
                said = f"built anew for each run: {reason}"
            else:
                twin = self.layer.obj
                said = f"run in place and restored afterwards: {reason}"
        moved(twin, usable(self.options.device))
        held = list(reachable(twin))
        switch(held, self.options.mode)
        return Copy(
            layer=twin,
            said=said,
            constants=tuple(promoted(held)) if self.promote else (),
            learnable=tuple(movable(held)),
        )

    def runner(
        self,
        *,
        warm_up: Tensor | None = None,
        draw: int = 0,
        scale: float = 0.0,
        seed: int = 0,
    ) -> Runner:
        """Return a runner on a copy whose parameters are at their draw number `draw`.

        The layer is first called once on `warm_up`, in training unless its parameters
        stay as they are: many layers initialise themselves from their first batch, and
        running averages leave the values at which a wrong formula is right. Some do so
        on the way back, and are called `there_and_back`; some refuse to run without: they
        are `primed`. Then every learnable tensor is moved by `scale`
        times standard normal noise. Draw 0 moves nothing.
        """
        twin = self.copy()
        if self.sized:
            hold(twin.layer, sizes_at(self.sized, self.shape))
        constants = twin.constants
        if self.promote:
            unmoved = self.fixed if draw else range(len(twin.learnable))
            constants += tuple(twin.learnable[index] for index in unmoved)
        runner = Runner(
            layer=twin.layer,
            calls=self.calls,
            kwargs=self._kwargs(seed),
            promote=self.promote,
            seed=seed,
            constants=constants,
            oracle=self.options.jacobian,
            device=usable(self.options.device),
            dtype=None if self.options.inputs is None else self.options.inputs.dtype,
            timeout=self.options.timeout,
            patience=self.patience,
        )
        if warm_up is None and self.primed is not None:
            generator = torch.Generator().manual_seed(seed)
            warm_up = drawn(self.primed, self.shape, self.batch, "usual", generator)
            warm_up = warm_up.to(self.dtype)
        if warm_up is not None and self.calls.forward is not None:
            self.warm_up(runner, warm_up)
        if draw:
            _move(twin.layer, draw, scale, self.fixed)
        return runner

    def inputs(self, region: Region = "usual") -> Tensor:
        """Return inputs as a first look takes them, `(batch, *shape)`."""
        generator = torch.Generator().manual_seed(self.options.seed)
        x = self._drawn(self.options.seed, region, generator)
        return x.to(self.dtype)

    def _drawn(self, seed: int, region: Region, generator: torch.Generator) -> Tensor:
        """Return a batch of events of a region, or as many of the user's own.

        Raises:
            OtherSizeError: those have another size.
        """
        own = self.options.inputs
        if own is None:
            return drawn(self.domain, self.shape, self.batch, region, generator)
        rows = self._rows(own, seed)
        parts = [
            own.samples[name][rows].double()
            for name in own.samples
            if name not in {each.name for each in self.options.context}
        ]
        flat = torch.cat([part.reshape(self.batch, -1) for part in parts], dim=1)
        if flat[0].numel() != math.prod(self.shape):
            raise OtherSizeError
        return flat.reshape(self.batch, *self.shape)

    def _rows(self, own: Given, seed: int) -> Tensor:
        """Return which of the user's samples go into a batch: other ones for each seed."""
        generator = torch.Generator().manual_seed(7_919 * (seed + 1) + self.batch)
        order = torch.randperm(own.count, generator=generator)
        return order.repeat(-(-self.batch // own.count))[: self.batch]

    def at(self, probe: Probe) -> Bench:
        """Return the bench for events and batches as a probe wants them."""
        return replace(
            self,
            shape=probe.shape,
            batch=probe.batch,
            domain=probe.domain,
            same_context=probe.same_context,
        )

    def during(self, stage: Stage, *, wrong: bool) -> Bench:
        """Return the bench for a stage of a check that is `wrong`, or right, so far."""
        return replace(self, options=self.options.during(stage, wrong=wrong))

    def ready(self, probe: Probe) -> tuple[Runner, Tensor, torch.Generator]:
        """Return a runner set up as a probe says, its inputs, and what drew them."""
        generator = torch.Generator().manual_seed(
            1_000_003 * (probe.seed + 1) + probe.batch
        )
        dtype = self.dtype
        there = self.at(probe)
        warm_up = there._drawn(probe.seed, "usual", generator).to(dtype)
        x = there._drawn(probe.seed, probe.region, generator).to(dtype)
        if probe.reach != 1.0 and self.options.inputs is None:
            x = probe.reach * x
        runner = there._moved(probe, warm_up)
        if self.through_inverse:
            with contextlib.suppress(FailedCallError):  # then they stay as drawn
                x = runner.run("inverse", x, Frozen()).y.detach()
        if probe.draw and self.options.mode != "train":
            # in training, each call does so itself, and is seen to
            keep_up(runner.layer)
        return runner, x, generator

    def _moved(self, probe: Probe, warm_up: Tensor) -> Runner:
        runner = self.runner(
            warm_up=warm_up, draw=probe.draw, scale=probe.scale, seed=probe.seed
        )
        if probe.shrunk != 1.0:
            _shrink(runner.layer, probe.shrunk, self.fixed)
        if probe.nudged and runner.layer is not self.layer.obj:
            _nudge(runner.layer)
        if probe.reflected:
            _reflect(runner.layer, self.fixed)
        if probe.turned is not None:
            _turn(runner.layer, self.fixed, probe.turned)
        return runner

    def warm_up(self, runner: Runner, x: Tensor) -> LayerRaisedError | None:
        """Call the layer once, in training if it can be; return what it raised there.

        A call that left one copy as it was need not be made on others.
        """
        at = self._call(runner, tuple(x.shape[1:]))
        if self.idle.get(at, False):
            return None
        master = self.masters.get(self._kind())
        if at in self.idle or master is None or master.blueprint is None:
            return self._warmed_up(runner, x)
        still = Still(runner.layer)
        refused = self._warmed_up(runner, x)
        told = refused or runner.layouts.get("forward") or runner.handed
        self.idle[at] = not told and still.holds_for(runner.layer)
        return refused

    def stays(self, runner: Runner, shape: Shape) -> bool:
        """Return whether a call in training is known to leave the layer as it was."""
        is_trained = self.options.params == "random"
        return is_trained and self.idle.get(self._call(runner, shape), False)

    def _call(self, runner: Runner, shape: Shape) -> Hashable:
        """Return what calls that leave copies alike behind are alike in."""
        there = runner.calls.forward
        call = None if there is None else there.call
        given = call, tuple(runner.kwargs), shape
        return self._kind(), self.options.params, given, self.there_and_back

    def _warmed_up(self, runner: Runner, x: Tensor) -> LayerRaisedError | None:
        refused = None
        trained = self.options.params == "random" and self.options.mode != "train"
        for mode in ("train", self.options.mode) if trained else (self.options.mode,):
            set_mode(runner.layer, mode)
            try:
                y = runner.run("forward", x, Frozen()).y
                if self.there_and_back:
                    runner.run("inverse", y.detach(), Frozen())
            except LayerRaisedError as error:
                refused = refused or error
            except UnexpectedReturnError:
                pass  # what cannot be trained as it stands is warmed up as it is used
            else:
                break
        set_mode(runner.layer, self.options.mode)
        return refused

    @property
    def fed(self) -> tuple[Context, ...]:
        """The contexts as whoever asks for the same again states them: labels are whole."""
        stated = []
        for each in self.options.context:
            if each.name in self.labels:
                low, end = self._classes(each.domain or REAL)
                each = each._replace(domain=Domain(kind="int", low=low, high=end - 1))
            stated.append(each)
        return tuple(stated)

    def _kwargs(self, seed: int) -> Mapping[str, Any]:
        generator = torch.Generator().manual_seed(seed + 1)
        dtype = self.dtype
        domains = {each.name: each.domain or REAL for each in self.options.context}
        sized = {
            each.name: (self.batch, *self._resized(each.name, each.shape))
            for each in self.options.context
        }
        contexts = {
            name: self._mask(size, dtype)
            if "mask" in name
            # the same numbers in either precision
            else drawn(domains[name], size[1:], size[0], "usual", generator).to(dtype)
            for name, size in sized.items()
            if name not in self.labels
        }
        labels = {
            name: torch.randint(
                *self._classes(domains[name]), size, generator=generator
            )
            for name, size in sized.items()
            if name in self.labels
        }
        beside = {**contexts, **labels}
        if (own := self.options.inputs) is not None:
            for name in sized.keys() & own.samples.keys():
                value = own.samples[name][self._rows(own, seed)]
                # a label stays a whole number
                beside[name] = value.to(dtype) if value.is_floating_point() else value
        if self.same_context:
            beside = {n: t[:1].expand_as(t).clone() for n, t in beside.items()}
        return {**dict(self.options.kwarg), **beside}

    def _resized(self, name: str, own: Shape) -> Shape:
        """Return the shape of a context beside an event: it has the places of the event."""
        at, shape = self.fed_at, self.shape
        if at is None or shape == at:
            return own
        if "mask" in name and len(at) == 2:
            places = {
                at: shape,
                (1, at[1]): (1, shape[1]),
                at[:1]: shape[:1],
                (at[0], 1): (shape[0], 1),
                at[1:]: shape[1:],
            }
            return places.get(own, own)
        if len(own) != len(at):
            return own
        if own == at and (len(at) > 1 or "mask" in name):
            return shape
        return (own[0], *shape[1:]) if own[1:] == at[1:] else own

    def _mask(self, size: Shape, dtype: torch.dtype) -> Tensor:
        """Return ones, or zeros and ones by turns; or a mask that leaves out the end.

        That is a quarter more of each further sample.
        """
        mask = torch.ones(size, dtype=dtype)
        if self.masks == "mixed":
            mask.view(len(mask), -1)[:, 1::2] = 0.0
        if self.masks == "padded":
            for index, sample in enumerate(mask.flatten(1)):
                left = len(sample) * (index % 4) // 4
                sample[len(sample) - left :] = 0.0
        return mask

    def _classes(self, stated: Domain) -> tuple[int, int]:
        """Return the first label, and where labels end: what was said, else what all have.

        That is as many as every embedding has rows; two are always told apart.
        """
        if stated.kind == "int":
            return int(stated.low or 0), int(stated.high or 0) + 1
        held = [
            item.num_embeddings
            for item in reachable(self.layer.obj)
            if isinstance(item, torch.nn.Embedding)
        ]
        return 0, min(held, default=2)


def _arguments(obj: Any) -> tuple[str, ...]:
    """Return what the class of a layer is called with; nothing of what has none."""
    try:
        return tuple(inspect.signature(type(owner_of(obj))).parameters)
    except (TypeError, ValueError):  # of some that are written in C
        return ()


def _sized(obj: Any, name: str, shape: Shape, axis: int, size: int) -> Any:
    """Return an argument by which an axis has some size: the size, or the whole shape."""
    default = inspect.signature(type(owner_of(obj))).parameters[name].default
    known = attributes(owner_of(obj)).get(name, default)
    if not isinstance(known, tuple) or len(known) != len(shape):
        return size
    return (*known[:axis], size, *known[axis + 1 :])


def built_like(obj: Any, **others: Any) -> Any:
    """Return another object of the class, None where what it was built of is not known.

    Of the arguments it was given, some may have `others` in their place. Of a method it is
    that of another owner.
    """
    if obj is not owner_of(obj):
        another = built_like(owner_of(obj), **others)
        return None if another is None else of_another(obj, another)
    held = {**attributes(obj), **others}
    parameters = inspect.signature(type(obj)).parameters.values()
    named = {
        p.name: held[p.name] for p in parameters if type(held.get(p.name)) in _PLAIN
    }
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind not in free]
    if isinstance(obj, types.FunctionType) or not named.keys() >= {*wanted, *others}:
        return None
    return type(obj)(**named)


def _move(layer: Any, draw: int, scale: float, fixed: frozenset[int]) -> None:
    """Move the parameters in place, as an optimiser does, each as far as it bears.

    A cache that asks for their version, which `.data` leaves as it is, must see it.
    """
    generator = torch.Generator().manual_seed(7919 * draw)
    with torch.no_grad():
        for index, tensor in enumerate(learnable(layer)):
            step = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if index not in fixed:
                tensor.add_((scale * _borne(tensor) * step).to(tensor))


def _borne(tensor: Tensor) -> float:
    """Return the share of a move that a parameter bears: of weights less, by their fan-in.

    What a sum over `fan_in` inputs is moved by grows with the root of their number, and
    over the layers of a network by its power, so weights are initialised by it (He et al.,
    *Delving Deep into Rectifiers*, 2015). Vectors, of whatever axes, add up nothing.
    """
    if tensor.dim() < 2 or max(tensor.shape) == tensor.numel():
        return 1.0
    return min(1.0, _GAIN / math.sqrt(tensor.numel() / len(tensor)))


def _shrink(layer: Any, times: float, fixed: frozenset[int]) -> None:
    """Make the parameters so many times as large, in place."""
    with torch.no_grad():
        for index, tensor in enumerate(learnable(layer)):
            if index not in fixed:
                tensor.mul_(times)


def _reflect(layer: Any, fixed: frozenset[int]) -> None:
    """Turn around the first row of every learnable tensor, and with it orientations.

    A vector or number of one sign stays: it is a scale that is positive by construction.
    """
    with torch.no_grad():
        for index, tensor in enumerate(learnable(layer)):
            if index not in fixed and (tensor.dim() >= 2 or not _has_one_sign(tensor)):
                _first_row(tensor).neg_()


def _turn(layer: Any, fixed: frozenset[int], what: Turned) -> None:
    """Turn around the first entry, or row, of learnable tensors that have an orientation.

    A vector of one sign is a scale a dim, a square matrix mixes dims: the map with one
    sign or row turned around is as good, and its ldj the same.
    """
    with torch.no_grad():
        for tensor in oriented(layer, fixed, what):
            row = tensor.view(-1) if _is_vector(tensor) else tensor
            _first_row(row).neg_()


def oriented(layer: Any, fixed: frozenset[int], what: Turned) -> list[Tensor]:
    """Return the learnable tensors that are turned around, those that are fixed apart."""
    found = []
    for index, tensor in enumerate(learnable(layer)):
        square = tensor.dim() >= 2 and tensor.shape[0] == tensor.shape[1]
        number = tensor.numel() == 1
        if index in fixed or not (square or _has_one_sign(tensor)):
            continue
        if _is_vector(tensor) or (what == "all" and (square or number)):
            found.append(tensor)
    return found


def _has_one_sign(tensor: Tensor) -> bool:
    return bool((tensor > 0).all()) or bool((tensor < 0).all())


def _first_row(tensor: Tensor) -> Tensor:
    return tensor[:1] if tensor.dim() else tensor


def _is_vector(tensor: Tensor) -> bool:
    return max(tensor.shape, default=1) == tensor.numel() > 1


def _nudge(layer: Any) -> None:
    """Move the numbers that a layer holds: fractions by a quarter, large counts twofold.

    Small integers are sizes and switches and stay. Where a moved number does not fit, the
    configuration fails and counts for nothing.
    """
    tensors = (item for item in reachable(layer) if isinstance(item, Tensor))
    sizes = {size for tensor in tensors for size in tensor.shape}
    for item in reachable(layer):
        if isinstance(item, (Tensor, dict, list, tuple)):
            continue
        for name, value in attributes(item).items():
            if type(value) is float and math.isfinite(value):
                moved: float = value * 1.25
            elif type(value) is int and value > 16 and value not in sizes:
                moved = value * 2
            else:
                continue
            with contextlib.suppress(Exception):  # a read-only attribute stays
                setattr(item, name, moved)
