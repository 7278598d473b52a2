"""The Python interface: check a layer, or ask the oracle alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from ldjcheck.deriving import derive_layer
from ldjcheck.errors import CannotCheckError
from ldjcheck.faults import failed_result
from ldjcheck.object_graph import looked_up
from ldjcheck.options.comments import ignored_in_source
from ldjcheck.options.keywords import asked, in_python
from ldjcheck.recognition import why_no_flow, without_untaken
from ldjcheck.records import Layer, Options, Result, Run
from ldjcheck.records.asked import Oracle
from ldjcheck.report_hooks import announce, shown_in_notebook
from ldjcheck.running.snapshot.isolation import undisturbed
from ldjcheck.search import check_layer
from ldjcheck.targets import as_targets, load_layer, parse_target, seed_all
from ldjcheck.targets.data import with_weights

if TYPE_CHECKING:
    from ldjcheck.report import Report

__all__ = [
    "check", "check_layer", "derive", "derive_layer", "exact_ldj", "failed_result",
    "why_no_flow", "without_untaken",
]  # fmt: skip


def check(
    layer: Any,
    *,
    shape: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    batch: int = 3,
    domain: str | Constraint | None = None,
    context: Mapping[str, int | Sequence[int] | str] | None = None,
    inputs: Any = None,
    weights: str | Path | Mapping[str, Any] | None = None,
    kwarg: Mapping[str, Any] | None = None,
    convention: str = "auto",
    direction: Literal["both", "forward", "inverse"] = "both",
    params: Literal["random", "as-is"] = "random",
    params_scale: float = 0.3,
    dims_limit: int = 4096,
    mode: Literal["eval", "train"] = "eval",
    kind: Literal[
        "auto", "bijection", "dequantization", "split", "flow", "model"
    ] = "auto",
    wrt: Literal["auto", "input", "noise"] = "auto",
    seed: int = 0,
    search: int = 0,
    dtype: Literal["float64", "as-written"] = "float64",
    device: str | torch.device | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] | Mapping[str, str] = (),
    strict: bool = False,
    timeout: float | None = None,
    ledger: bool = False,
    pictures: bool = True,
    jacobian: Oracle | None = None,
    adapter: Any = None,
) -> Report:
    """Return what is true of the layer's log-determinant, and what it says.

    Args:
        layer: any object that is called like a flow layer; it is left exactly as it was.
            Or a text, what the command line takes: `"flows.py:Affine(3)"`. It is then
            imported here, and built as the command line builds it.
        shape: event shape of one sample, without the batch; found out when absent. One
            number is the size of a vector, a mapping names the inputs.
        batch: samples per probe.
        domain: where inputs live, as `--domain` takes it: `"unit"`, `"int:0:255"`; or a
            constraint of `torch.distributions` that means an interval.
        context: event shapes of further tensor arguments, by parameter name; with a domain
            as a text, `"4:positive"`.
        inputs: samples to check at, `(batch, *event)`, instead of made-up ones: a tensor,
            or several by the names of the arguments, contexts among them, or a file of
            them. Parameters then stay as they are.
        weights: a state dict, or a file with one, that a copy of the layer gets before.
            Parameters then stay as they are.
        kwarg: further keyword arguments of every call.
        convention: how the layer is called, by name or as a description such as
            `"f(z, ldj, reverse) -> z, ldj"`; recognised when `"auto"`.
        direction: which way to run it.
        params: move parameters off their initial values, on a copy, or leave them.
        params_scale: how far they are moved.
        dims_limit: the most dims to check exactly.
        mode: mode of the module.
        kind: what the layer is; of a `"model"` the `log_prob` is checked as a whole.
        wrt: what the Jacobian is taken against.
        seed: where all randomness comes from.
        search: look for a failing probe among so many generated ones, and report the
            smallest, with the call that repeats it.
        dtype: precision of the check.
        device: where to check it, as in `"cuda"`; a copy on the CPU when absent.
        atol: allowed difference, in nats; from the error model when absent.
        rtol: the same, relative to the exact value.
        select: codes or names of the only mistakes to report; `"LDJ2"` is all of LDJ2xx.
        ignore: those that are not to count; a mapping gives the reason of each. What is
            ignored and does not occur is told (LDJ490). A comment in the layer's source,
            `# ldjcheck: ignore[LDJ117] why`, does the same for its line.
        strict: let warnings fail.
        timeout: how many seconds of CPU time of this thread it may take; as long as it
            takes when absent. What is wrong is known first, then why, then how to mend
            it; what time does not allow is left out, and listed under `not_done`.
        ledger: follow the lines of a layer that passes, too.
        pictures: keep what `report.plot()` draws. It costs calls of layers of two dims
            only, of which a grid is drawn.
        jacobian: another oracle, `jacobian(f, x)` with `f` from `(batch, dims_in)` to
            `(batch, dims_out)`, that returns J `(batch, dims_out, dims_in)`. `f` takes
            whole batches of the size of `x`. It is held against central differences, as
            ours is.
        adapter: how to call a layer that follows no convention: an object with
            `forward(layer, x) -> (y, ldj)` and perhaps `inverse(layer, y) -> (x, ldj)`,
            or a pair of such functions.

    Never raises because of a mistake in the layer. `timeout` stops between two calls of
    the layer: one that hangs, or only waits, cannot be stopped here. The command line's
    `--timeout` can, since it runs each target in a process of its own.

    Raises:
        ValueError: an option that cannot be what it is given as, an argument that the
            layer does not take, a `jacobian` that raises or returns something else, or a
            comment that ignores a mistake without its reason.
    """
    given = dict(locals())
    __tracebackhide__ = True  # pytest then shows the caller's line
    options = asked(given)
    with _put_back(layer):
        try:
            known, options = _prepare(layer, options, sys._getframe(1), weights)
        except CannotCheckError as error:
            result = failed_result(_name(layer), error)
        else:
            silences = (*options.ignore, *ignored_in_source(known.obj))
            with shown_in_notebook() as tell:
                options = replace(options, ignore=silences)
                result = check_layer(known, options, tell=tell)
    report = _report(result, options, "ldjcheck.check")
    announce(report)
    return report


def derive(
    layer: Any,
    *,
    shape: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    batch: int = 3,
    domain: str | Constraint | None = None,
    context: Mapping[str, int | Sequence[int] | str] | None = None,
    kwarg: Mapping[str, Any] | None = None,
    convention: str = "auto",
    direction: Literal["both", "forward", "inverse"] = "both",
    params: Literal["random", "as-is"] = "random",
    params_scale: float = 0.3,
    seed: int = 0,
) -> Report:
    """Return the ldj of a layer as code: `report.derived` holds its lines and the edit.

    Every step of the map is differentiated, and written in the names that the source has
    at that line. The edited layer is then run at shapes, inputs and parameters that
    nothing was derived from; only where it agrees there is it `verified`. The layer may
    have no ldj yet, or a wrong one. Nothing is written to any file.

    Args:
        layer: any object that is called like a flow layer, or returns y alone.
        shape: as of `check()`, like all that follow.
        batch: samples per probe.
        domain: where inputs live.
        context: event shapes of further tensor arguments, by parameter name; with a domain
            as a text, `"4:positive"`.
        kwarg: further keyword arguments of every call.
        convention: how the layer is called.
        direction: which way to derive.
        params: move parameters off their initial values, on a copy, or leave them.
        params_scale: how far they are moved.
        seed: where all randomness comes from.

    Raises:
        ValueError: an option that cannot be what it is given as.
    """
    given = dict(locals())
    __tracebackhide__ = True
    options = asked(given)
    with _put_back(layer):
        try:
            known, options = _prepare(layer, options, sys._getframe(1))
        except CannotCheckError as error:
            result = failed_result(_name(layer), error)
        else:
            result = derive_layer(known, options)
    return _report(result, options, "ldjcheck.derive")


def _put_back(layer: Any) -> AbstractContextManager[None]:
    """Put back what loading a layer by its text changes, such as where modules are."""
    return undisturbed() if isinstance(layer, str) else nullcontext()


def _prepare(
    layer: Any,
    options: Options,
    caller: FrameType,
    weights: str | Path | Mapping[str, Any] | None = None,
) -> tuple[Layer, Options]:
    """Return the layer under its name, with its weights, and the options that concern it.

    Raises:
        ValueError: an argument that the layer does not take.
        CannotCheckError: weights that are not the layer's, or a text that names no layer.
    """
    __tracebackhide__ = True
    if isinstance(layer, str):
        seed_all(options.seed)
        known = load_layer(parse_target(as_targets((layer,))[0]))
    else:
        name = _name(layer)
        held = {**caller.f_globals, **caller.f_locals}
        names = (n for n, v in held.items() if v is layer and not n.startswith("_"))
        known = Layer(target=name, name=name, obj=layer, written=next(names, "layer"))
    if weights is not None:
        known = with_weights(known, weights)
        options = replace(options, params="as-is")
    options, strange = without_untaken(known, options)
    if strange:
        raise ValueError(next(iter(strange.values())))
    return known, options


def _report(result: Result, options: Options, command: str) -> Report:
    from ldjcheck.report import Report

    findings = tuple(
        replace(
            f, message=in_python(f.message), evidence=tuple(map(in_python, f.evidence))
        )
        for f in result.findings
    )
    readings = tuple(replace(r, type=in_python(r.type)) for r in result.readings)
    inferred = {what: in_python(why) for what, why in result.inferred.items()}
    result = replace(result, findings=findings, readings=readings, inferred=inferred)
    return Report(Run.of(result, seed=options.seed, command=command))


def exact_ldj(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return sign and log|det J| of a map, each `(batch,)`, the latter in nats.

    J[b] is the Jacobian of sample b, `dy[b] / dx[b]` with the event axes flattened, in
    float64 as exact as rounding lets it be. Where J is diagonal, a permutation, falls into
    blocks, passes entries through or differs from the identity by a low rank, a few of its
    products with random vectors find and prove that, at any number of dims; else all of J
    is worked out, which takes a backward pass per dim. Where rank is lost but for rounding,
    they are 0 and -inf, on every processor.

    Args:
        f: the map, `(batch, *event)` to `(batch, *event)`, sample by sample.
        x: the points, best in float64.

    Raises:
        TypeError: x is no tensor, or f returns none, as a layer that returns a pair.
        ValueError: the output has another number of entries per sample than the input,
            automatic differentiation does not go through the map, or x is no batch of
            real numbers.
    """
    import torch

    __tracebackhide__ = True
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"x is a {type(x).__name__}, not a tensor")
    if not x.dim() or not x.is_floating_point():
        raise ValueError("x is no batch of real numbers, (batch, *event)")
    if not x.numel():
        raise ValueError("x holds no number")
    with torch.inference_mode(False), torch.enable_grad():
        return _exact_ldj(f, x.clone().detach())


def _exact_ldj(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    from ldjcheck.oracle.derivatives.products import (
        NoProductsError,
        NoTensorError,
        UnequalDimsError,
    )
    from ldjcheck.oracle.structures.by_structure import Wanted, determinant

    __tracebackhide__ = True
    wanted = Wanted(anchor=False, bounds=False, differences=False)
    try:
        found = determinant(f, x, wanted)
    except NoTensorError as error:
        first = ": pass `lambda x: layer(x)[0]`" if str(error) == "tuple" else ""
        raise TypeError(f"f returns a {error}, not a tensor{first}") from None
    except UnequalDimsError as error:
        dims_in, dims_out = error.args
        raise ValueError(
            f"f maps {dims_in} dims to {dims_out}: only square Jacobians have a "
            "determinant"
        ) from None
    except NoProductsError:
        f(x.clone())  # what f itself raises is told as it is
        raise ValueError("automatic differentiation does not go through f") from None
    return found.sign.to(x.dtype), found.exact.to(x.dtype)


def _name(layer: Any) -> str:
    if isinstance(layer, str):
        return layer
    named = looked_up(layer, "__qualname__")  # functions and classes name themselves
    return named if isinstance(named, str) else f"{type(layer).__name__}()"
