"""Whether an edited layer is right: a Jacobian, at sizes, ranks and attributes of its own.

ldjcheck calls the layer, and has no part in what is right: J by
`torch.autograd.functional.jacobian`, one `slogdet` per sample. Where the layer as it was
written runs, and has a way of being right, the edited one must be.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import linecache
import types
import warnings
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ldjcheck.errors import CannotCheckError
from ldjcheck.options.keywords import asked
from ldjcheck.records import Layer
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.subject import settle_layer
from ldjcheck.tracebacks import cell_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ldjcheck.records import Direction, Edit, Shape

MOST_DIMS = 100  # a Jacobian is worked out row by row
VECTORS: tuple[Shape, ...] = ((2,), (3,), (5,))
OTHER_RANKS: tuple[Shape, ...] = ((3, 4), (2, 3, 4))
CLOSE = 1e-6  # relative: what a mistake leaves is no rounding of float64
SINGULAR = -25.0  # nats per dim: no map to learn anything from
FACTORS = (0.4, 1.7)  # by which a held number is moved


@dataclass(frozen=True, slots=True)
class Place:
    """Where an edited layer was judged, and how far off it was, in nats."""

    where: str
    off: float

    @property
    def is_right(self) -> bool:
        return self.off <= CLOSE


def places(
    build: Callable[[], Any], edits: Sequence[Edit], flags: Mapping[str, Any]
) -> list[Place]:
    """Return where an edited layer was judged: where its map runs, and what it changes.

    A direction that was right before, and reports what it did, is not the edit's; unless
    all are so, as where a way back or a gradient is mended. Where the user has said that
    events are of another rank, it counts where the number alone was wrong, if anything.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenes = [*_scenes(build, edits, flags)]
        before = [scene.measured() for scene in scenes]
        with written(edits):
            after = [scene.measured() for scene in scenes]
    both = [
        (scene, was, now)
        for scene, was, now in zip(scenes, before, after, strict=True)
        if not (scene.aside and was.reported is None) and (was.returns or now.returns)
    ]
    wrong = {s.direction for s, was, _ in both if was.off > CLOSE and not s.alone}
    changed = [
        (scene, now)
        for scene, was, now in both
        if scene.direction in wrong or was.reported != now.reported
    ] or [(scene, now) for scene, _, now in both]
    return [Place(scene.where, now.off) for scene, now in changed]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is reported, and |reported - exact| relative to 1 + |exact|, at most.

    Whether it `returns` is asked of ways back: whether they lead to where y came from.
    """

    reported: list[float] | None
    off: float
    returns: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """One direction of a layer at one input. `exact` is log|det J|, `(batch,)`.

    `alone` is an event of another rank than the shown one, of which each entry is mapped
    by itself; it stands `aside` where the user has said of which shape an event is.
    """

    where: str
    direction: Direction
    runner: Any
    x: Tensor
    exact: Tensor
    aside: bool
    alone: bool
    came_from: Tensor | None = None  # of a way back

    def measured(self) -> _Measured:
        """Return what the layer reports there, as its code is now."""
        try:
            outcome = self.runner.run(self.direction, self.x, Frozen())
        except FailedCallError:
            return _Measured(None, float("inf"), self.came_from is None)
        if self.came_from is not None:
            y, x = outcome.y, self.came_from
            if y.shape != x.shape or not torch.allclose(
                y.double(), x.double(), atol=1e-6
            ):
                return _Measured(None, float("inf"), returns=False)
            if outcome.raw is None:
                return _Measured(None, 0.0)  # it promises none
        if outcome.reported is None or outcome.form is not None:
            return _Measured(None, float("inf"))
        reported = outcome.reported.detach().double()
        off = (reported - self.exact).abs() / (1 + self.exact.abs())
        return _Measured(reported.tolist(), float(off.nan_to_num(torch.inf).max()))


def _scenes(
    build: Callable[[], Any], edits: Sequence[Edit], flags: Mapping[str, Any]
) -> Iterator[_Scene]:
    """Yield where the map runs as it was written."""
    first = _built(build)
    shown = _ready(first, flags)
    if shown is None:
        return
    shape = shown.bench.shape
    for at in dict.fromkeys((shape, *shown.others, *_shapes(first, shape))):
        ready = shown if at == shape else _ready(_built(build), {**flags, "shape": at})
        aside = len(at) != len(shape) and flags.get("shape") is not None
        for seed in (0, 1):
            where = f"{at}, seed {seed}"
            alone = len(at) != len(shape)
            yield from _both_ways(ready, at, seed, where, aside=aside, alone=alone)
    for name, value in _moved(first, edits):
        layer = _with_number(build, name, value)
        ready = _ready(layer, {**flags, "shape": shape})
        if ready is not None and _moves_the_map(shown, ready):
            yield from _both_ways(ready, shape, 0, f"{shape}, {name} = {value:g}")


def _built(build: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return build()


def _with_number(build: Callable[[], Any], name: str, value: float) -> Any:
    """Return the layer with another number, built of it where its class takes it."""
    if isinstance(build, type) and name in inspect.signature(build).parameters:
        return _built(partial(build, **{name: value}))
    layer = _built(build)
    setattr(layer, name, value)
    return layer


def _ready(layer: Any, flags: Mapping[str, Any]) -> Any:
    """Return the layer settled, or None where it does not run."""
    options = asked(flags)
    name = type(layer).__name__
    try:
        return settle_layer(Layer(target=name, name=name, obj=layer), options)
    except CannotCheckError:
        return None


def _both_ways(
    subject: Any,
    shape: Shape,
    seed: int,
    where: str,
    *,
    aside: bool = False,
    alone: bool = False,
) -> Iterator[_Scene]:
    """Yield the directions of a map that has a Jacobian there.

    Of other ranks are maps of each entry `alone`.
    """
    if subject is None or prod(shape) > MOST_DIMS or subject.bench.calls.departures:
        return
    probe = replace(subject.probes()[0], seed=seed, draw=seed + 1, shape=shape)
    runner, x, _ = subject.bench.ready(probe)
    found = _jacobian(runner, x)
    calls = subject.bench.calls
    if found is None or calls.forward is None:
        return
    y, jacobian = found
    exact = torch.linalg.slogdet(jacobian)[1]
    if not bool(exact.isfinite().all()) or bool((exact < SINGULAR * prod(shape)).any()):
        return
    if alone and not torch.equal(
        jacobian, torch.diag_embed(jacobian.diagonal(0, 1, 2))
    ):
        return
    if calls.forward.tracked and not calls.forward.derived:
        yield _Scene(
            where=f"forward at {where}", direction="forward", runner=runner, x=x,
            exact=exact, aside=aside, alone=alone,
        )  # fmt: skip
    back = calls.inverse
    if back is None or back.derived or not back.tracked:
        return
    yield _Scene(
        where=f"inverse at {where}", direction="inverse", runner=runner, x=y,
        exact=-exact, aside=aside, alone=alone, came_from=x,
    )  # fmt: skip


def _jacobian(runner: Any, x: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the output and J `(batch, dims, dims)`; None where there is none to be had."""
    see = Manner(see_detach=True, see_rounding=True)

    def outputs(values: Tensor) -> Tensor:
        return runner.run("forward", values, Frozen(), see).y

    try:
        jacobian = torch.autograd.functional.jacobian(outputs, x)
        y = outputs(x).detach()
    except (FailedCallError, RuntimeError, TypeError):
        return None
    size = x[0].numel()
    if y.shape != x.shape:
        return None
    square = jacobian.reshape(len(x), size, len(x), size)
    return y, torch.stack([square[i, :, i] for i in range(len(x))])


def _shapes(layer: Any, shape: Shape) -> Iterator[Shape]:
    """Yield further sizes of the rank; of what holds no sizes, all ranks."""
    yield from (at for at in VECTORS if len(shape) == 1)
    if len(shape) == 3:
        yield from ((shape[0], h, w) for h, w in ((2, 3), (4, 4)))
    if not _holds_sizes(layer):
        yield from (*VECTORS, *OTHER_RANKS)


def _holds_sizes(layer: Any) -> bool:
    """Return whether a tensor of more than one entry says for which size a layer is."""
    modules = layer.modules() if isinstance(layer, nn.Module) else [layer]
    held = [
        v
        for m in modules
        for v in (*vars(m).values(), *getattr(m, "_parameters", {}).values(),
                  *getattr(m, "_buffers", {}).values())
    ]  # fmt: skip
    return any(isinstance(v, Tensor) and v.numel() > 1 for v in held)


def _moved(layer: Any, edits: Sequence[Edit]) -> Iterator[tuple[str, float]]:
    """Yield numbers that the layer holds and an edited function names, and other values."""
    named: set[str] = set()
    for edit in edits:
        named |= _names_around(edit)
    for name, value in {**getattr(layer, "__dict__", {})}.items():
        if type(value) not in (int, float) or name not in named:
            continue
        for factor in FACTORS:
            other = value * factor
            yield name, other if type(value) is float else max(1, round(other + 0.5))


def _names_around(edit: Edit) -> set[str]:
    """Return the attributes of the file's functions that hold the edited line."""
    tree = ast.parse("".join(linecache.getlines(_file(edit))))
    found: set[str] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        if function.lineno <= edit.line <= (function.end_lineno or 0):
            nodes = [*ast.walk(function)]
            found |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    return found


def _moves_the_map(before: Any, after: Any) -> bool:
    """Return whether another value of a number makes another map of the layer."""
    probe = before.probes()[0]
    try:
        (one, x, _), (other, _, _) = before.bench.ready(probe), after.bench.ready(probe)
        y, z = (r.run("forward", x, Frozen()).y for r in (one, other))
    except FailedCallError:
        return False
    return y.shape == z.shape and not torch.allclose(y.double(), z.double())


# --- an edit in the place of what runs -------------------------------------------------


def _file(edit: Edit) -> str:
    if edit.cell is not None:
        return cell_file(edit.file, edit.cell)
    path = Path(edit.file)
    return str(path.absolute()) if path.exists() else edit.file


@contextlib.contextmanager
def written(edits: Sequence[Edit]) -> Iterator[None]:
    """Let the running functions do what the files would say, edits written."""
    swaps = []
    for file in {_file(edit) for edit in edits}:
        lines = [line.rstrip("\n") for line in linecache.getlines(file)]
        for edit in sorted(
            (e for e in edits if _file(e) == file), key=lambda e: -e.line
        ):
            assert lines[edit.line - 1] == edit.before, (file, edit)
            new = edit.after.split("\n") if edit.after else []
            lines[edit.line - 1 : edit.line] = new
        text = "\n".join(lines) + "\n"
        codes = _codes(compile(text, file, "exec", dont_inherit=True))
        for function in gc.get_objects():
            if type(function) is types.FunctionType:
                old = function.__code__
                new_code = (
                    codes.get(old.co_qualname) if old.co_filename == file else None
                )
                if new_code and new_code.co_freevars == old.co_freevars:
                    swaps.append((function, old))
                    function.__code__ = new_code
    try:
        yield
    finally:
        for function, old in swaps:
            function.__code__ = old


def _codes(code: types.CodeType) -> dict[str, types.CodeType]:
    found, stack = {}, [code]
    while stack:
        current = stack.pop()
        found[current.co_qualname] = current
        stack += [c for c in current.co_consts if isinstance(c, types.CodeType)]
    return found
