"""The user's samples, and several tensors as one input: `f(x1, x2) -> y1, y2, ldj`.

The input of a layer of several tensors is one flat vector, which is cut into the tensors.
"""

import ast
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ldjcheck.calling.results import written_in
from ldjcheck.calling.signature import call_signature, signature_of
from ldjcheck.conventions import densities, recognise_conventions
from ldjcheck.errors import CannotCheckError
from ldjcheck.object_graph import looked_up
from ldjcheck.records import Calls, Context, Layer, Options, Shape
from ldjcheck.records.asked import Given
from ldjcheck.settling.guesses.shapes import Guesses, ShapeGuess
from ldjcheck.torch_ops import JOIN


def with_sizes_of(layer: Layer, given: Given, options: Options) -> Options:
    """Return the options with the sizes of samples that the user gave.

    What is named like a further argument of the layer's call is a context; what is the
    name of none, where its input has its name, is left out.

    Raises:
        CannotCheckError: LDJ006, where no input is among them.
    """
    ways = recognise_conventions(layer.obj, options.convention)
    extra = {
        name
        for calls in ways
        for name in calls.tensor_names
        if name not in calls.inputs
    }
    named = [name for name in given.samples if name and name not in extra]
    left_out = _left_out(layer.obj, named)
    samples = {name: x for name, x in given.samples.items() if name not in left_out}
    sizes: dict[str | None, Shape] = {
        name: tuple(value.shape[1:]) for name, value in samples.items()
    }
    beside = {str(name): size for name, size in sizes.items() if name in extra}
    inputs = {name: size for name, size in sizes.items() if name not in beside}
    if not inputs:
        raise CannotCheckError(
            "LDJ006",
            f"Only {' and '.join(beside)} is among the inputs, and not the input itself.",
            ("Give it as well, under the name of the layer's first argument.",),
        )
    if len(inputs) == 1:
        inputs = dict.fromkeys((None,), next(iter(inputs.values())))
    told = [each for each in options.context if each.name not in beside]
    return replace(
        options,
        inputs=replace(given, samples=samples, left_out=left_out),
        shape=tuple(inputs.items()),
        context=(*told, *(Context(name, size) for name, size in beside.items())),
    )


def _left_out(layer: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Return which samples no call takes, where it takes one of them by its name.

    Otherwise they are keys of the one argument. A way back takes something else.
    """
    asked = (signature_of(method) for _, _, method in densities(layer))
    called = [each for each in (call_signature(layer), *asked) if each is not None]
    known = {name for each in called for name in each.names}
    by_name = known & set(names)
    if not by_name or any(each.takes_any_keyword for each in called):
        return ()
    return tuple(name for name in names if name not in known)


def as_whole_numbers(options: Options) -> Given | None:
    """Return the user's inputs to be fed in their own dtype; None where that is tried, or real.

    A derivative wants real numbers, so these come first; what looks something up with its
    input takes whole ones only.
    """
    given = options.inputs
    if given is None or given.dtype is not None:
        return None
    beside = {each.name for each in options.context}
    dtype = next(x.dtype for name, x in given.samples.items() if name not in beside)
    return None if dtype.is_floating_point else replace(given, dtype=dtype)


# --- several tensors as one input -----------------------------------------------------

Parts = tuple[tuple[str | None, Shape], ...]

_HALVES = 2  # of what is joined nobody says how many there are
_FEW_SIZES = 4
_SIZES = 12  # that are tried for inputs of which nobody has said anything


def of_several(
    candidates: tuple[Calls, ...], parts: Parts
) -> tuple[tuple[Calls, ...], ShapeGuess]:
    """Return how the layer may take such tensors, and the shape of all in one.

    They are given by their names, then in a tuple.
    """
    unnamed = tuple((None, shape) for _, shape in parts)
    ways = (parts, unnamed) if len(parts) > 1 else (parts,)
    calls = tuple(replace(each, parts=way) for each in candidates for way in ways)
    return calls, _whole(parts, "all inputs, flat")


def guessed_parts(
    layer: Any, candidates: tuple[Calls, ...], guesses: Guesses
) -> Iterator[tuple[tuple[Calls, ...], ShapeGuess]]:
    """Yield how a layer that has several inputs both ways may take them, all of one size.

    They are parameters of its own, or one parameter that it takes apart.
    """
    count = taken_apart(layer)
    for calls in candidates:
        if not calls.inputs and count:
            for guess in guesses[:_SIZES]:
                why = f"{count} tensors, flat; of each, {guess.shape}: {guess.why}"
                yield _unnamed(calls, guess.shape, count, why)
                channels, *rest = guess.shape or (1,)
                if channels % count == 0:  # what the layer tells is of all in one
                    each = channels // count, *rest
                    why = f"{count} tensors, flat; of all, {guess.shape}: {guess.why}"
                    yield _unnamed(calls, each, count, why)
        if not calls.inputs:
            continue
        for guess in guesses[:_SIZES]:
            parts: Parts = tuple((name, guess.shape) for name in calls.inputs)
            why = f"{' and '.join(calls.inputs)}, flat; of each, {guess.shape}: {guess.why}"
            yield (replace(calls, parts=parts),), _whole(parts, why)
        for parts in _of_different_sizes(calls.inputs, guesses):
            why = f"{' and '.join(calls.inputs)}, flat; of sizes that the layer has"
            yield (replace(calls, parts=parts),), _whole(parts, why)


def _of_different_sizes(names: tuple[str, ...], guesses: Guesses) -> Iterator[Parts]:
    """Yield vectors of different sizes for several inputs, of sizes that a layer has."""
    sizes = dict.fromkeys(g.shape for g in guesses if len(g.shape) == 1)
    several = itertools.product(list(sizes)[:_FEW_SIZES], repeat=len(names))
    different = (shapes for shapes in several if len(set(shapes)) > 1)
    for shapes in itertools.islice(different, _SIZES):
        yield tuple(zip(names, shapes, strict=True))


def taken_apart(layer: Any) -> int:
    """Return how many tensors a call takes as its one input; 0 where it is a tensor.

    Two in `a, b = x`, and in `torch.cat(x, dim=1)`, which wants more than a tensor.
    """
    nodes = written_in(looked_up(layer, "forward") or layer)
    called = next((n for n in nodes if isinstance(n, ast.FunctionDef)), None)
    if called is None:
        return 0
    names = [argument.arg for argument in called.args.args]
    own = names[1:] if names[:1] == ["self"] else names
    counts = (_parts_in(node, own[:1]) for node in ast.walk(called))
    return next(filter(None, counts), 0)


def _parts_in(node: ast.AST, own: list[str]) -> int:
    """Return into how many parts a node takes the input apart, or how many it joins."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        parts = node.targets[0].elts
        from_input = isinstance(node.value, ast.Name) and node.value.id in own
        all_named = all(isinstance(part, ast.Name) for part in parts)
        return len(parts) if from_input and all_named else 0
    if isinstance(node, ast.Call) and node.args:
        joined = node.args[0]
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in JOIN and isinstance(joined, ast.Name):
            return _HALVES if joined.id in own else 0
    return 0


def _unnamed(
    calls: Calls, each: Shape, count: int, why: str
) -> tuple[tuple[Calls, ...], ShapeGuess]:
    parts = ((None, each),) * count
    return (replace(calls, parts=parts),), _whole(parts, why)


def _whole(parts: Parts, why: str) -> ShapeGuess:
    size = sum(math.prod(shape) for _, shape in parts)
    return ShapeGuess(shape=(size,), why=why, free=frozenset())
