"""How rules name the term that they are about, and what its form tells."""

from collections.abc import Iterator

from ldjcheck.mistakes.engine.kinds import DIMS
from ldjcheck.records import Comparison, Diagnosis, Explanation, Verdict

_LONGEST = 48


def sublayers(explanation: Explanation) -> str:
    """Return the sublayers whose ldj is meant, as a sentence names them."""
    *others, last = explanation.sublayers
    if not others:
        return f"sublayer {last}"
    if len(others) > 2:
        return f"{len(others) + 1} sublayers, {others[0]} to {last},"
    return f"sublayers {', '.join(others)} and {last}"


def is_turned(explanation: Explanation) -> bool:
    """Return whether the sign of a term is wrong beside its count."""
    multiplier = explanation.multiplier
    return multiplier is not None and multiplier.sign < 0


def named(explanation: Explanation, *, start: bool = False) -> str:
    """Return the term in the source's own words, or in plain ones."""
    if explanation.sublayers:
        ldj = "The log-determinant" if start else "the log-determinant"
        return f"{ldj} of {sublayers(explanation)}"
    if explanation.whole and explanation.within:
        ldj = "The log-determinant" if start else "the log-determinant"
        return f"{ldj} of sublayer {explanation.within}"
    if explanation.whole:
        return "The whole log-determinant" if start else "the whole log-determinant"
    text = explanation.operand
    if text is None or len(text) > _LONGEST:
        return "A term of the log-determinant" if start else "a term"
    return f"`{text}`"


def is_of_pairs(comparison: Comparison, verdict: Verdict) -> bool:
    """Return whether the ldj has an entry for each pair of samples, `(batch, batch)`.

    In every batch: a part of the event may have as many entries as one of them.
    """
    accumulates = comparison.measurement.calls.accumulates
    told = [
        side.said.ldj_shape == (len(side.x), len(side.x))
        for _, side, _ in verdict.usable
        if accumulates or len(side.x) not in side.x.shape[1:]
    ]
    return bool(told) and all(told)


def why_per_dim(explanation: Explanation, diagnosis: Diagnosis) -> Iterator[str]:
    """Yield why this term needs a count and its neighbours do not."""
    if not DIMS.holds(explanation) or not explanation.constant:
        return
    yield "a constant scale acts on every dim, so its log counts once per dim"
    here = explanation.location.line if explanation.location else None
    others = [str(line) for line in diagnosis.summed_lines if line != here]
    if others:
        lines = (
            f"line {others[0]}" if len(others) == 1 else f"lines {', '.join(others)}"
        )
        yield f"{lines}: these terms are summed over the dims already and need no factor"
