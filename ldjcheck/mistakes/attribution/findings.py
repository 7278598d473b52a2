"""All findings of a layer, the most important first: of explanations, and of behaviour."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.attribution.precedence import (
    numbers_count,
    rank,
    without_consequences,
)
from ldjcheck.mistakes.catalogue.rule import Circumstances, Rule
from ldjcheck.mistakes.contract import non_finite
from ldjcheck.mistakes.engine.closeness import SOMETHING
from ldjcheck.mistakes.engine.kinds import REGION, TIE, TIMES
from ldjcheck.mistakes.terms import missing_term, unexplained_mismatch, wrong_derivative
from ldjcheck.mistakes.unchecked import layer_raised
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Direction,
    Explanation,
    Finding,
    Law,
    Location,
    Verdict,
)

RAISED = layer_raised.RULE.code
_FINE = 1e-6  # nats: a tenth of the smallest constants that flows have
_SEVERITIES = ("error", "unproven", "warning", "note")


_IMAGE = 28 * 28  # dims of the smallest image anyone trains on
_NOTHING = 1e-9  # bits per dimension
_FEW = 6  # samples that a factor of all of them is read off
_SOME = 1e-3  # nats: of less no proportion is one
_SAME = 1e-9  # relative: a number that is the same for all samples
_VARIES = 1.5  # times: what is constant is in proportion to everything
_NEARLY = 0.1


def name_findings(
    comparison: Comparison, diagnoses: Sequence[Diagnosis] | None = ()
) -> tuple[Finding, ...]:
    """Return all findings, the most important first: by severity, forward before inverse.

    That a direction raised comes last: what is wrong with the other one is still found.

    `diagnoses` is None as long as nothing was diagnosed.
    """
    values = list(value_findings(RULES, comparison, diagnoses))
    behaviour = [
        _located(rule, finding, diagnoses or ())
        for rule in RULES
        if rule.match is not None
        for finding in rule.match(comparison)
    ]
    return tuple(
        sorted(
            without_consequences([*values, *behaviour]),
            key=lambda f: (
                f.code == RAISED,
                _SEVERITIES.index(f.severity),
                f.direction == "inverse",
                rank(f),
            ),
        )
    )


def _located(rule: Rule, finding: Finding, diagnoses: Sequence[Diagnosis]) -> Finding:
    """Return a finding about behaviour with the statement that its rule points at."""
    for diagnosis in diagnoses:
        if finding.location is None and diagnosis.direction == finding.direction:
            return replace(finding, location=place_for(rule, diagnosis))
    return finding


def within_sublayer(finding: Finding, name: str) -> Finding:
    """Return a finding about a sublayer by itself as one about the flow that holds it."""
    message = f"In sublayer {name}: {finding.message[0].lower()}{finding.message[1:]}"
    return replace(finding, message=message)


def value_findings(
    rules: Sequence[Rule], comparison: Comparison, diagnoses: Sequence[Diagnosis] | None
) -> Iterator[Finding]:
    """Yield a finding for each mistake of each direction whose value disagrees.

    Without diagnoses, of which there was none yet, only that it does.
    """
    found = {diagnosis.direction: diagnosis for diagnosis in diagnoses or ()}
    harmless = max((r.harmless_below for r in rules), default=0.0)
    for verdict in comparison.verdicts:
        off = verdict.mismatched and not (verdict.faults or verdict.no_output)
        if not off or verdict.flat or not numbers_count(verdict):
            continue
        direction = verdict.direction
        if direction == "inverse" and _follows_forward(comparison):
            continue
        if diagnoses is None:
            if _largest(verdict) > harmless:
                yield unexplained_mismatch.RULE.finding(
                    "The log-determinant is wrong; which mistake it is, is not known yet.",
                    direction=direction,
                )
            continue
        diagnosis = found.get(direction)
        lost = _lost(verdict)
        if lost and (diagnosis is None or not _claimed(rules, diagnosis, verdict)):
            yield non_finite.RULE.finding(
                "The log-determinant is not finite where its exact value is.",
                direction=direction,
                evidence=lost,
                location=(diagnosis.suspect or diagnosis.last) if diagnosis else None,
            )
            continue
        if diagnosis is None:
            yield unexplained_mismatch.RULE.finding(
                "The log-determinant is wrong, and no known mistake explains how.",
                direction=direction,
                evidence=("no line ledger: the layer's operations cannot be recorded",),
            )
            continue
        at = Circumstances(
            direction=direction,
            forward_agrees=not comparison.forward.mismatched,
            largest=_largest(verdict),
        )
        for mistake in diagnosis.mistakes:
            yield _named(rules, mistake, diagnosis, at, comparison)


def _follows_forward(comparison: Comparison) -> bool:
    """Return whether the way back is wrong because the forward ldj is: it is made of it."""
    back = comparison.measurement.calls.inverse
    derived = back is not None and back.derived
    return derived and comparison.forward.mismatched


def _named(
    rules: Sequence[Rule],
    mistake: tuple[Explanation, ...],
    diagnosis: Diagnosis,
    at: Circumstances,
    comparison: Comparison,
) -> Finding:
    claims = [
        (e, rule) for e in mistake if (rule := _claiming(rules, e, at)) is not None
    ]
    if not claims:
        unnamed = _unnamed(diagnosis, at.direction, mistake[0] if mistake else None)
        verdicts = [v for v in comparison.verdicts if v.direction == at.direction]
        if comparison.measurement.calls.convention == "model":
            for off, dims in itertools.chain(*map(_offsets, verdicts)):
                at_base = replace(unnamed, location=diagnosis.base)
                return missing_term.of_a_base(at_base, off, dims)
        if at.largest <= _FINE and not diagnosis.constant:
            return _of_an_approximation(unnamed, at.largest)
        nearly = (said for verdict in verdicts for said in _nearly(verdict))
        return replace(unnamed, evidence=(*unnamed.evidence, *nearly))
    best, rule = claims[0]
    others = [r.name for e, r in claims[1:] if r is not rule and _as_good(e, best)]
    if len(diagnosis.mistakes) > 1:  # no law of one mistake is that of the difference
        best = replace(best, law=None)
    finding = rule.finding(
        rule.told(best),
        direction=at.direction,
        evidence=tuple(_evidence(rule, best, diagnosis, comparison)),
        law=best.law,
        bits_per_dim=diagnosis.bits_per_dim,
        location=place_for(rule, diagnosis, best.location, best.within),
        also_fits=tuple(dict.fromkeys(others)),
    )
    harmless = at.largest <= rule.harmless_below
    return replace(finding, severity="note") if harmless else finding


def _of_an_approximation(unnamed: Finding, largest: float) -> Finding:
    """Return what is told of a difference so small that the map's own digits may end there."""
    finding = unexplained_mismatch.RULE.finding(
        f"Reported and exact part by {largest:.1e} nats at most, and nothing says why.",
        direction=unnamed.direction,
        location=unnamed.location,
        evidence=(
            "the map may be an approximation: a quadrature or a series of fixed length",
            "leaves as much; where nothing is approximated, it is a mistake",
        ),
    )
    return replace(finding, severity="unproven")


def _as_good(other: Explanation, best: Explanation) -> bool:
    """Return whether the numbers do not decide between two explanations."""
    counts = other.kind == best.kind == TIMES and other.location == best.location
    return other.cost <= best.cost + TIE or (counts and best.ambiguous)


def _claiming(
    rules: Sequence[Rule], explanation: Explanation, at: Circumstances
) -> Rule | None:
    """Return the rule for an explanation, the most particular of those that claim it."""
    claims = [rule for rule in rules if rule.is_claiming(explanation, at)]
    return min(claims, key=lambda rule: not rule.asked_first, default=None)


def place_for(
    rule: Rule,
    diagnosis: Diagnosis,
    explained: Location | None = None,
    within: str | None = None,
) -> Location | None:
    """Return the statement that a rule's findings point at.

    The last statement of a flow is not that of the sublayer which is wrong `within`.
    """
    if rule.points_at == "last statement":
        return explained if within is not None and explained else diagnosis.last
    return diagnosis.reduced if rule.points_at == "reduction" else explained


def _unnamed(
    diagnosis: Diagnosis, direction: Direction, of_part: Explanation | None = None
) -> Finding:
    hidden = tuple(_without_ledger(diagnosis))
    suspect, what = diagnosis.suspect, "The log-determinant"
    if of_part is not None and of_part.within is not None:
        suspect, what = of_part.location, f"Sublayer {of_part.within}"
        hidden = (f"sublayer {of_part.within} is wrong by itself", *hidden)
    rule = unexplained_mismatch.RULE
    message = f"{what} is wrong, and no known mistake explains how."
    if suspect is not None:
        rule = wrong_derivative.RULE
        message = "This statement is not the log-derivative of its step."
        hidden = (wrong_derivative.ALONE, *hidden)
    return rule.finding(
        message,
        direction=direction,
        location=suspect,
        bits_per_dim=diagnosis.bits_per_dim,
        evidence=hidden,
    )


def _offsets(verdict: Verdict) -> Iterator[tuple[float, int]]:
    """Yield by what reported is off, and of how many dims, if all samples are off alike.

    They are at every configuration; parameters may make it another number.
    """
    found = []
    for _, side, good in verdict.usable:
        if side.said.ldj is None or side.exact.ldj is None or not bool(good.any()):
            continue
        off = (side.said.ldj - side.exact.ldj)[good]
        size = 1.0 + float(side.exact.ldj[good].abs().max())
        if int(good.sum()) < 2 or float((off - off[0]).abs().max()) > _SAME * size:
            return
        found.append((float(off[0]), side.dims))
    yield from (each for each in found[:1] if abs(each[0]) > _SOME)


def _nearly(verdict: Verdict) -> Iterator[str]:
    """Yield by what reported is off in proportion, on every sample, if nearly by one factor.

    A flow that takes steps has an ldj that is off by what they cost as well: what else is
    wrong with it explains its numbers to no more than a few digits.
    """
    told = [
        (side.said.ldj[good], side.exact.ldj[good])
        for _, side, good in verdict.usable
        if side.said.ldj is not None and side.exact.ldj is not None
    ]
    exact = [float(each) for _, known in told for each in known]
    reported = [float(each) for said, _ in told for each in said]
    sizes = [abs(each) for each in exact]
    if len(exact) < _FEW or min(sizes) < _SOME or max(sizes) < _VARIES * min(sizes):
        return
    ratios = sorted(r / e for r, e in zip(reported, exact, strict=True))
    factor = ratios[len(ratios) // 2]
    spread = max(abs(ratio / factor - 1) for ratio in ratios) if factor else math.inf
    if spread <= _NEARLY and abs(factor - 1) > 2 * _NEARLY:
        yield (
            f"reported is about {_plainly(factor)} times exact on every sample, within "
            f"{max(spread, 0.01):.0%}: look for such a factor"
        )


def _plainly(factor: float) -> str:
    """Return a factor in words: a whole number, or its part, where it is close to one."""
    whole = round(factor if abs(factor) >= 1 else 1 / factor) or 1
    near = whole if abs(factor) >= 1 or abs(whole) == 1 else 1 / whole
    if abs(factor / near - 1) > _NEARLY:
        return f"{factor:.2g}"
    sign = "-" if whole < 0 else ""
    return str(whole) if near == whole else f"{sign}1/{abs(whole)}"


def _evidence(
    rule: Rule, explanation: Explanation, diagnosis: Diagnosis, comparison: Comparison
) -> Iterator[str]:
    law = explanation.law
    if law is not None and law.points:
        silent = [p.dims for p in law.points if abs(p.difference) < SOMETHING]
        if silent:
            alone = "; made for single numbers? --shape 1" if silent[0] == 1 else ""
            yield f"at dims {silent[0]} the mistake is invisible{alone}"
        if diagnosis.constant:
            yield from _image_cost(law)
        if not silent and len(law.points) > 1:
            yield f"the smallest size tried, dims {law.points[0].dims}, shows it"
    if rule.why is not None:
        yield from rule.why(explanation, diagnosis)
    if explanation.sublayers:
        several = len(explanation.sublayers) > 1
        each = "each of them is" if several else "the sublayer is"
        yield f"{each} right by itself: what it says is what it does"
    if explanation.within is not None:
        yield f"sublayer {explanation.within} is wrong by itself"
    if rule.seen is not None:
        yield from rule.seen(explanation)
    if diagnosis.moved_constants and explanation.operand is not None:
        yield f"confirmed by moving the constants: {explanation.operand} is what counts"
    both = comparison.forward.mismatched and comparison.inverse.mismatched
    if both and comparison.round_trip.status == "pass":
        yield "the round trip cannot see it: it looks at x and y, never at the ldj"
    yield from _without_ledger(diagnosis)


def _without_ledger(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.ledger_dropped is not None:
        yield f"no line ledger: {diagnosis.ledger_dropped}"


def _image_cost(law: Law) -> Iterator[str]:
    """Yield the cost on small images, where the law is linear in the number of dims."""
    if len(law.points) < 2:
        return
    first, last = law.points[0], law.points[-1]
    slope = (last.difference - first.difference) / (last.dims - first.dims)
    start = first.difference - slope * first.dims
    linear = all(
        abs(start + slope * p.dims - p.difference) <= 1e-6 * (1 + abs(p.difference))
        for p in law.points
    )
    bits = (start + slope * _IMAGE) / _IMAGE / math.log(2)
    if linear and abs(bits) > _NOTHING:
        yield f"on 1x28x28 images bits per dimension are off by {abs(bits):.3g}"


def _claimed(rules: Sequence[Rule], diagnosis: Diagnosis, verdict: Verdict) -> bool:
    """Return whether a rule claims an explanation, whatever the circumstances.

    A region of inputs explains nothing where a whole shape is lost, all regions of it.
    """
    at = Circumstances(
        direction=diagnosis.direction, forward_agrees=True, largest=math.inf
    )
    return any(
        _claiming(rules, explanation, at) is not None
        for mistake in diagnosis.mistakes
        for explanation in mistake
        if explanation.kind != REGION.name or not _loses_a_shape(verdict)
    )


def _loses_a_shape(verdict: Verdict) -> bool:
    """Return whether the ldj is lost on every sample of a shape tried more than once."""
    finite: dict[tuple[int, ...], list[bool]] = {}
    for config, side, good in verdict.usable:
        if side.said.ldj is not None:
            told = finite.setdefault(config.shape, [])
            told.append(bool(side.said.ldj[good].isfinite().any()))
    return any(len(told) > 1 and not any(told) for told in finite.values())


def _lost(verdict: Verdict) -> tuple[str, ...]:
    """Return the samples whose ldj is NaN or infinite; none where a number is wrong too."""
    lost = []
    for config, side, good in verdict.usable:
        refuting = side.exact.refuting
        if side.said.ldj is None or side.exact.ldj is None or refuting is None:
            return ()
        finite = side.said.ldj.isfinite()
        off = (side.said.ldj - side.exact.ldj).abs() > refuting
        if bool((off & finite & good).any()):
            return ()
        for index in (~finite & good).nonzero().flatten().tolist():
            said = f"{float(side.said.ldj[index]):+}, exact {float(side.exact.ldj[index]):+.6g}"
            lost.append(f"shape {config.shape}, sample {index}: reported {said}")
    return tuple(lost[:3])


def _largest(verdict: Verdict) -> float:
    worst = 0.0
    for _, side, good in verdict.usable:
        if side.difference is not None:
            off = side.difference[good].abs()
            worst = max([worst, *off.nan_to_num(float("inf")).tolist()])
    return worst
