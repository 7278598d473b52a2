"""One call of `ldjcheck check`: every target in turn, each in its own process."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ldjcheck.cli.isolation import Died, Faulted, Finished, TimedOut, run_isolated
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Result, Run
from ldjcheck.targets import load_layer, load_source, parse_target
from ldjcheck.targets.blame import users_fault
from ldjcheck.targets.expression import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ldjcheck.records import Layer, Options


class Checker(NamedTuple):
    """The two functions that know how a layer is checked."""

    check_layer: Callable[[Layer, Options, float | None], Result]
    failed_result: Callable[[str, CannotCheckError], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How every target is to be checked. `kwargs` are still as they were typed."""

    options: Options
    kwargs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came out, and the tracebacks of whatever went wrong in ldjcheck itself."""

    run: Run
    faults: tuple[str, ...] = ()


def run_session(
    targets: Sequence[str],
    request: Request,
    checker: Checker,
    *,
    timeout: float,
    command: str,
) -> Session:
    """Return the results of all targets, in their order.

    A target that hangs, dies or trips over a fault of ours ends alone.
    """
    started = time.perf_counter()
    results, faults = [], []
    for target in targets:
        result, fault = _run(target, request, checker, timeout)
        results.append(result)
        faults += [fault] if fault else []
    run = Run(
        seed=request.options.seed,
        exit_code=exit_code(results, is_faulty=bool(faults)),
        seconds=time.perf_counter() - started,
        command=command,
        results=tuple(results),
    )
    return Session(run=run, faults=tuple(faults))


def exit_code(results: Sequence[Result], *, is_faulty: bool = False) -> int:
    """Return the exit status of a call: of several that apply, 4, 2, 1, 3, 0."""
    if is_faulty:
        return 4
    statuses = {result.status for result in results}
    codes = {"error": 2, "fail": 1, "unproven": 3}
    return next((code for status, code in codes.items() if status in statuses), 0)


def _run(
    target: str, request: Request, checker: Checker, timeout: float
) -> tuple[Result, str | None]:
    """Return the result of one target, and the traceback of our own fault, if any."""
    started = time.perf_counter()
    outcome = run_isolated(check_target, target, request, checker, timeout=timeout)
    if isinstance(outcome, Finished):
        return outcome.value, None
    seconds = time.perf_counter() - started
    if isinstance(outcome, Faulted):
        why = {"not checked": "ldjcheck itself failed; standard error has the details"}
        result = Result(target=target, layer=None, status="error", inferred=why)
        return replace(result, seconds=seconds), outcome.traceback
    result = checker.failed_result(target, _no_answer(outcome))
    return replace(result, seconds=seconds), None


def _no_answer(outcome: Died | TimedOut) -> CannotCheckError:
    if isinstance(outcome, TimedOut):
        return CannotCheckError(
            "LDJ007",
            f"No answer within {outcome.seconds:g} seconds, so I stopped it.",
            (
                "The limit is for importing, building and calls together.",
                f"Give it more time with: --timeout {2 * outcome.seconds:g}",
            ),
        )
    return CannotCheckError(
        "LDJ005",
        f"Its process ended before the check did: {outcome.how}.",
        ("The other targets of this call are not affected.",),
    )


# --- in the target's own process --------------------------------------------------


def check_target(text: str, request: Request, checker: Checker) -> Result:
    """Return the result of loading and checking one target.

    What ends a program (`sys.exit`, `KeyboardInterrupt`) is the user's doing here, as
    is running out of memory; any other exception is a mistake of ours.
    """
    started = time.perf_counter()
    try:
        _seed(
            request.options.seed
        )  # random initial weights are part of what is checked
        target = parse_target(text)
        source = load_source(target, [expr for _, expr in request.kwargs])
        layer = load_layer(target, source)
        kwarg = tuple((name, evaluate(expr, source)) for name, expr in request.kwargs)
        options = replace(request.options, kwarg=kwarg)
        try:
            return checker.check_layer(layer, options, started)
        except (SystemExit, KeyboardInterrupt, MemoryError):
            with users_fault("LDJ005", f"Running {layer.name}"):
                raise
    except CannotCheckError as error:
        result = checker.failed_result(text, error)
        return replace(result, seconds=time.perf_counter() - started)


def _seed(seed: int) -> None:
    """Start all random generators at the same point in every run."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
