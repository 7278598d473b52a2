"""What looks like a mistake and need be none, as no flow layer is checked."""

import inspect
from collections.abc import Iterator
from contextlib import suppress
from math import prod

from torch import Tensor

from ldjcheck.calling.parameter_names import OBJECTIVES, is_total
from ldjcheck.calling.results import written_in
from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes.attribution.precedence import follows_a_law
from ldjcheck.mistakes.terms import (
    ldj_forgotten,
    unexplained_mismatch,
    wrong_derivative,
)
from ldjcheck.object_graph import looked_up
from ldjcheck.readings.densities.density_with_draws import DRAWS
from ldjcheck.readings.reading import Outcome, Reading, look_at, read_anew
from ldjcheck.readings.what_runs import is_added, run_at
from ldjcheck.records import Layer, Options, Result
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.domains import drawn_into_output
from ldjcheck.settling.subject import Subject, holds_flow
from ldjcheck.settling.unrecognised import made_by_users

_ASKED = 4  # classes inside that are asked, one of each
_FAR = 30.0  # times as far out as noise was drawn: what bounds it has met its ends
_UNNAMED = {unexplained_mismatch.RULE.code, wrong_derivative.RULE.code}
_NOT_UNDONE = {"LDJ301", "LDJ304"}


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield that it is no flow layer, where that is as good a reading of what is wrong."""
    subject, result = outcome.subject, outcome.result
    why = _no_bijection(subject.layer, result) or _no_flows_density(subject, result)
    why = why or _bound(subject, result) or _path_weight(subject, result)
    if why is not None:
        yield Reading(subject=subject, refused=why)


def _bound(subject: Subject, result: Result) -> CannotCheckError | None:
    """Return that a density is one of x and of more, as an ELBO is, and not of x alone."""
    bench = subject.bench
    is_open = result.status == "fail" and DRAWS not in result.inferred
    if bench.calls.convention != "model" or not is_open:
        return None
    drawn = drawn_into_output(bench, alone=False)
    if not drawn or prod(bench.shape) in drawn_into_output(bench):
        return None  # noise for each entry makes real numbers of whole ones
    return CannotCheckError(
        "LDJ004",
        f"What {subject.layer.name} returns is a bound, an ELBO, and I cannot check it.",
        (
            f"It draws {sum(drawn)} numbers that enter z: it is no density of x alone,",
            "and I saw no density of x given z and of z that it adds up.",
            "Name its flow, or what returns z and log q(z), to check that.",
        ),
    )


def _path_weight(subject: Subject, result: Result) -> CannotCheckError | None:
    """Return that a layer is a step of chance, as one of Langevin is, and no map.

    What it reports is how probable its noise was, there and back: no determinant. No
    law says how it is off.
    """
    grave = {finding.code for finding in result.findings if finding.severity == "error"}
    is_open = result.status == "fail" and grave <= _UNNAMED
    if subject.bench.calls.of_noise or not is_open or not _is_led_far(subject.bench):
        return None
    return CannotCheckError(
        "LDJ004",
        f"{subject.layer.name} draws normal noise that enters its output: it is no map.",
        (
            "With that noise held, what it reports is no log-determinant either.",
            "A weight of a path, as of Langevin steps, is not checked: name the maps in it.",
        ),
    )


@on_failure(False)
def _is_led_far(bench: Bench) -> bool:
    """Return whether noise leads most of what it moves as far as it goes itself.

    What is added to whole numbers stays within one, whatever it is made of.
    """
    x, drawn, runner = bench.inputs(), Frozen(), bench.runner(seed=bench.options.seed)
    near = runner.run("forward", x, drawn).y
    signed = [d for d in drawn.draws if d.is_floating_point() and bool((d < 0).any())]
    if not signed or near.numel() != x.numel():
        return False  # what fewer numbers are drawn of, or more, has a density

    def led(times: float) -> Tensor:
        draws = [d * times if d.is_floating_point() else d for d in drawn.draws]
        return runner.run("forward", x, Frozen(draws)).y

    far = led(_FAR)
    moved, further = (far - near).abs(), (led(2 * _FAR) - far).abs()
    ends = (further > moved / 2)[moved > 0]
    return bool(ends.double().mean() > 0.5)  # of nothing it is no number


def _no_flows_density(subject: Subject, result: Result) -> CannotCheckError | None:
    """Return that a density, which nobody said is a flow's, would be wrong as one.

    An encoder of as many numbers as it is given has one as well. Where a law says how it
    is off, a flow is inside, or its source speaks of an ldj, that is no chance; that it
    counts nothing may be, of a call that nothing names.
    """
    from ldjcheck.conventions import densities

    layer, asked = subject.layer, subject.asked
    is_guess = (asked.kind, asked.convention) == ("auto", "auto")
    is_model = subject.bench.calls.convention == "model"
    has_bases = DRAWS in result.inferred  # of all of x and what is drawn: no chance
    if not (is_guess and is_model and result.status == "fail") or has_bases:
        return None
    if inspect.ismethod(layer.obj) or asked.adapter is not None:
        return None
    named = [name for name, *_ in densities(layer.obj)]
    counts = ldj_forgotten.RULE.code not in {f.code for f in result.findings}
    if result.beside_right or (follows_a_law(result) and (named or counts)):
        return None
    asks = looked_up(layer.obj, next(iter(named), "forward"))
    written = {getattr(node, "id", "") for node in written_in(asks)}
    speaks = any(map(is_total, written - OBJECTIVES))
    if holds_flow(layer) or speaks or _adds_what_came_with_z(subject):
        return None
    if _holds_layer(layer, asked):
        return None
    name = next(iter(named), "call")
    return CannotCheckError(
        "LDJ004",
        f"I cannot tell whether {layer.name} is a flow: as one, its {name} is wrong.",
        (
            "What it maps x to, and what its density says of that, do not agree.",
            f"To check its {name}, say that it is a model: --kind model",
        ),
    )


@on_failure(False)
def _adds_what_came_with_z(subject: Subject) -> bool:
    """Return whether a density adds the number that a function hands back beside z.

    Whatever it is called, and right or not, that is an ldj: a norm, say, is not added.
    """
    outcome, ended = run_at(subject.bench, subject.probes()[0], "forward")
    tuples = (result for _, result in ended if isinstance(result, tuple) and result)
    return outcome is not None and any(
        isinstance(z, Tensor)
        and z.numel() == outcome.y.numel()
        and any(is_added(number, outcome.reported) for number in beside)
        for z, *beside in tuples
    )


def _holds_layer(layer: Layer, asked: Options) -> bool:
    """Return whether something inside of it reports an ldj of each sample, right or wrong."""
    kinds = {type(item): item for item in made_by_users(layer)}
    plain = Options(seed=asked.seed, timeout=asked.timeout)
    for name, item in [(k.__name__, each) for k, each in kinds.items()][:_ASKED]:
        inner = Layer(target=name, name=name, obj=item)
        for there in read_anew(inner, plain):
            with suppress(FailedCallError):
                found = look_at(there)
                forward = found.comparison.forward
                if found.is_right or (forward.mismatched and not forward.form):
                    return True
    return False


def _no_bijection(layer: Layer, result: Result) -> CannotCheckError | None:
    """Return that a map which cannot be undone is no mistake: the layer says so itself.

    What such a layer reports is a contribution to the likelihood, and no determinant.
    """
    codes = {f.code for f in result.findings if f.severity == "error"}
    declared = looked_up(layer.obj, "bijective")
    if declared is not False or not _NOT_UNDONE & codes:
        return None
    return CannotCheckError(
        "LDJ004",
        f"{layer.name} declares that it is no bijection, so it has no determinant.",
        ("Its `bijective` is False, and its map cannot be undone.",),
    )
