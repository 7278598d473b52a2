"""Whether an edited layer is right: a Jacobian, at sizes, ranks and attributes of its own.

ldjcheck calls the layer, and has no part in what is right: J by
`torch.autograd.functional.jacobian`, one `slogdet` per sample. Where the layer as it was
written runs, and has a way of being right, the edited one must be.
"""

from __future__ import annotations

import ast
import gc
import linecache
import types
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ldjcheck.cells import cell_file
from ldjcheck.errors import CannotCheckError
from ldjcheck.options.keywords import asked
from ldjcheck.records import Layer
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner
from ldjcheck.settling.subject import settle_layer

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
    """Return where an edited layer was judged: where the layer runs as it was written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenes = [*_scenes(build, edits, flags)]
        with written(edits):
            return [Place(where, measure()) for where, measure in scenes]


def _scenes(
    build: Callable[[], Any], edits: Sequence[Edit], flags: Mapping[str, Any]
) -> Iterator[tuple[str, Callable[[], float]]]:
    """Yield where the layer runs as it was written, and what is off there then."""
    first = _built(build)
    shown = _ready(first, flags)
    if shown is None:
        return
    shape = shown.bench.shape
    shapes = dict.fromkeys((shape, *shown.others, *_shapes(first, shape)))
    for at in shapes:
        ready = shown if at == shape else _ready(_built(build), {**flags, "shape": at})
        for seed in (0, 1):
            yield from _both_ways(ready, at, seed, f"{at}, seed {seed}")
    for name, value in _moved(first, edits):
        layer = _built(build)
        setattr(layer, name, value)
        ready = _ready(layer, {**flags, "shape": shape})
        if ready is not None and _moves_the_map(shown, ready):
            yield from _both_ways(ready, shape, 0, f"{shape}, {name} = {value:g}")


def _built(build: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return build()


def _ready(layer: Any, flags: Mapping[str, Any]) -> Any:
    """Return the layer settled, or None where it does not run."""
    options = asked(flags)
    name = type(layer).__name__
    try:
        return settle_layer(Layer(target=name, name=name, obj=layer), options)
    except CannotCheckError:
        return None


def _both_ways(
    subject: Any, shape: Shape, seed: int, where: str
) -> Iterator[tuple[str, Callable[[], float]]]:
    """Yield the directions that are to be judged, of a map that has a Jacobian there."""
    if subject is None or prod(shape) > MOST_DIMS or subject.bench.calls.departures:
        return
    probe = replace(subject.probes()[0], seed=seed, draw=seed + 1, shape=shape)
    try:
        runner, x, _ = subject.bench.ready(probe)
        y = runner.run("forward", x, Frozen()).y.detach()
    except FailedCallError:
        return
    calls = subject.bench.calls
    ends: tuple[tuple[Direction, Tensor], ...] = (("forward", x), ("inverse", y))
    for direction, z in ends:
        way = calls.way(direction)
        if way is None or way.derived or not way.tracked or y.shape != x.shape:
            continue
        if _exact(runner, direction, z) is not None:
            yield f"{direction} at {where}", partial(_off, runner, direction, z)


def _off(runner: Any, direction: Direction, x: Tensor) -> float:
    """Return |reported - exact| at most, relative to 1 + |exact|."""
    try:
        outcome = runner.run(direction, x, Frozen())
    except FailedCallError:
        return float("inf")
    if outcome.raw is None and direction == "inverse":
        return 0.0  # it promises none
    reported, exact = outcome.reported, _exact(runner, direction, x)
    if reported is None or exact is None:
        return float("inf")
    off = (reported.detach().double() - exact).abs() / (1 + exact.abs())
    return float(off.nan_to_num(float("inf")).max())


def _exact(runner: Any, direction: Direction, x: Tensor) -> Tensor | None:
    """Return log|det J| `(batch,)`; None where there is none to be had."""
    see = Manner(see_detach=True, see_rounding=True)

    def outputs(values: Tensor) -> Tensor:
        return runner.run(direction, values, Frozen(), see).y

    try:
        jacobian = torch.autograd.functional.jacobian(outputs, x)
    except (FailedCallError, RuntimeError, TypeError):
        return None
    size = x[0].numel()
    if jacobian.numel() != x.numel() ** 2:
        return None
    square = jacobian.reshape(len(x), size, len(x), size)
    apart = torch.stack([square[i, :, i] for i in range(len(x))])
    exact = torch.linalg.slogdet(apart)[1]
    usable = bool(exact.isfinite().all()) and bool((exact > SINGULAR * size).all())
    return exact.detach() if usable else None


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
    return y.shape == z.shape and not torch.allclose(y, z)


# --- an edit in the place of what runs -------------------------------------------------


def _file(edit: Edit) -> str:
    if edit.cell is not None:
        return cell_file(edit.file, edit.cell)
    path = Path(edit.file)
    return str(path.absolute()) if path.exists() else edit.file


@contextmanager
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
