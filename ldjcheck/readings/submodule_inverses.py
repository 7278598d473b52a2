"""The ways back of what a flow holds, where its own call has none: only sampling runs them.

A model goes from x to z, and its `sample` goes back through each of its layers. What is
wrong on that way shows in no density.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from torch import Tensor

from ldjcheck.conventions import recognise_conventions
from ldjcheck.mistakes.attribution.findings import within_sublayer
from ldjcheck.mistakes.inverse import inverse_mismatch
from ldjcheck.object_graph import owner_of, paths, reachable
from ldjcheck.readings.reading import Outcome, Reading, read_anew
from ldjcheck.readings.what_runs import run_at
from ldjcheck.records import Finding, Layer, Result, Shape
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.subject import Subject
from ldjcheck.settling.unrecognised import made_by_users
from ldjcheck.tracing import trace_calls

_SAID = "the call is right; a way back that it does not run is not, and that is shown"
_RIGHT = "its way back, which this call does not run, is right"
_RUN = "its way back is run by this call, which is right"
_OPEN = "its way back, which this call does not run, is not checked: name it to see why"
_MOST = 4  # kinds of layers


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield what a flow holds that has a way back, where the flow itself has none."""
    asked, before = outcome.subject.asked, None
    if asked.direction != "both" or asked.adapter is not None:
        return
    plain = replace(asked, domain=None, context=(), kind="auto", convention="auto")
    while outcome.result is not before and _has_no_way_back(outcome.result):
        before = outcome.result
        for path, item, shape in _held(outcome.subject, before):
            name = f"{outcome.subject.layer.name}.{path}"
            alone = Layer(target=name, name=name, obj=item)
            adopt = partial(_adopted, path, type(item).__name__)
            at = replace(plain, shape=((None, shape),))
            there = next(read_anew(alone, at), None)
            if there is not None and _runs_its_way_back(outcome.subject, there.subject):
                yield outcome.known(_noted(outcome.result, path, _RUN))
                break
            if there is not None:
                there = replace(there, adopt=adopt)
                yield from outcome.values_first(there, [there])
                break
            yield outcome.known(adopt(outcome.result, None))


def _has_no_way_back(result: Result) -> bool:
    """Whether a flow is right on the way there, and has no way back of its own."""
    back = [check for check in result.checks if check.direction == "inverse"]
    absent = all(check.status == "not-available" for check in back)
    return result.status == "pass" and result.kind in ("flow", "model") and absent


def _runs_its_way_back(whole: Subject, held: Subject) -> bool:
    """Return whether a call runs the way back of what it holds, as a sampler does.

    What that reports is a part of the call's number then, which is right. Where a flag
    turns one function round, it is not known which way was run.
    """
    _, back = run_at(held.bench, held.probes()[0], "inverse")
    _, there = run_at(held.bench, held.probes()[0], "forward")
    _, ran = run_at(whole.bench, whole.probes()[0], "forward")
    if not back or any(code is back[-1][0] for code, _ in there):
        return False
    return any(code is back[-1][0] for code, _ in ran)


def _held(subject: Subject, result: Result) -> Iterator[tuple[str, Any, Shape]]:
    """Yield a layer of each kind that has a way back: where it is held, and at which shape.

    Within one that was looked at nothing is looked for.
    """
    whole = subject.layer.obj
    whole = owner_of(whole)
    where = {id(item): path for path, item in _by_path(whole)}
    known = set(result.inferred)
    kinds = {type(item) for path, item in _by_path(whole) if path in known}
    shapes = _shapes(subject)
    for item in made_by_users(replace(subject.layer, obj=whole)):
        path = where.get(id(item), "")
        within = any(path.startswith(f"{other}.") for other in known)
        if not path or within or type(item) in kinds or len(kinds) >= _MOST:
            continue
        back = any(calls.inverse is not None for calls in recognise_conventions(item))
        if back and path in shapes:
            yield path, item, shapes[path]


def _by_path(whole: object) -> Iterator[tuple[str, Any]]:
    where = paths(whole)
    for item in reachable(whole):
        yield where.get(id(item), "").removeprefix("."), item


def _shapes(subject: Subject) -> dict[str, Shape]:
    """Return the shape of one sample with which each thing that is held is called."""
    bench = subject.bench
    runner = bench.runner(seed=bench.options.seed)
    copy = owner_of(runner.layer)
    where = paths(copy)
    found: dict[str, Shape] = {}

    def hears(frame: FrameType, event: str, result: object) -> None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount]
        if event != "call" or len(names) < 2:
            return
        owner, *given = (frame.f_locals.get(name) for name in names)
        path = where.get(id(owner))
        x = next((each for each in given if isinstance(each, Tensor)), None)
        if path and x is not None and x.shape[:1] == (bench.batch,):
            found.setdefault(path.removeprefix("."), tuple(x.shape[1:]))

    try:
        with trace_calls(hears):
            runner.run("forward", bench.inputs(), Frozen())
    except FailedCallError:
        return {}
    return found


def _adopted(path: str, kind: str, result: Result, again: Result | None) -> Result:
    """Return a way back that is wrong, where all else of its layer is right."""
    if again is None:
        return _noted(result, path, _OPEN)
    wrong = [finding for finding in again.findings if finding.severity == "error"]
    if again.status == "fail" and all(map(_is_of_the_way_back, wrong)):
        name = f"{path} ({kind})"
        found = tuple(
            within_sublayer(f, name) if f in wrong else f for f in again.findings
        )
        return replace(
            again, target=result.target, layer=result.layer, kind=result.kind,
            findings=found, unasked=result.unasked,
            inferred={"shown": _SAID, **again.inferred},
        )  # fmt: skip
    return _noted(result, path, _RIGHT if again.status == "pass" else _OPEN)


def _is_of_the_way_back(finding: Finding) -> bool:
    """Whether its numbers are wrong there: what it does to its input may be the flow's own."""
    if finding.code == inverse_mismatch.RULE.code:
        return True
    return finding.direction == "inverse" and not finding.code.startswith("LDJ2")


def _noted(result: Result, path: str, said: str) -> Result:
    return replace(result, inferred={**result.inferred, path: said})
