"""LDJ005: the layer raised an exception, or ended its process.

The layer raised an exception while it was built or run, or ended its process.
Only its own lines are shown, with the input that did it.

For example:
    from torch import nn

    class Scale(nn.Module):
        # Multiply by a parameter that was never made.
        def forward(self, x):
            scale = self.log_scale.exp()
            return x * scale, scale.log().sum()

Run:
    ldjcheck flow.py:Scale --shape 4

You see:
    The layer raised AttributeError: 'Scale' object has no attribute 'log_scale'
    ...
        scale = self.log_scale.exp()
    ...
    AttributeError: 'Scale' object has no attribute 'log_scale'
    input: shape (4,), domain real

What to do:
    If the input is at fault, give one that the layer takes: `--shape`, `--domain`,
    `--context`. Else mend the layer. What the other direction showed stands.

Easily confused with:
    LDJ006: every input that was tried raises
    LDJ001: the file raises when it is imported
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding, Verdict


def _match(comparison: Comparison) -> Iterator[Finding]:
    """Yield a finding for each direction that raised, and what to type next."""
    for verdict in comparison.verdicts:
        if verdict.raised:
            came_back = verdict.raised[0].startswith("returned ")
            told = verdict.raised[0] if came_back else f"raised {verdict.why}"
            yield RULE.finding(
                f"The {verdict.direction} direction {told}",
                direction=verdict.direction,
                evidence=(
                    *verdict.raised[came_back:],
                    *_what_next(verdict, comparison),
                ),
            )


def _what_next(verdict: Verdict, comparison: Comparison) -> Iterator[str]:
    """Yield what to type where only the way back raises: it may want more than y."""
    if verdict.direction != "inverse" or comparison.forward.raised:
        return
    measurement = comparison.measurement
    calls, options = measurement.calls, measurement.options
    given = {name for name, *_ in (*options.context, *options.kwarg)}
    back = calls.inverse
    own = back.names if back is not None else ()
    left_out = [name for name in own or calls.extra_names if name not in given]
    if left_out:
        yield f"It was called with {' and '.join(f'{n}=None' for n in left_out)}."
        yield f"To give that: --kwarg {left_out[0]}=1.0, or what it has to be"
    yield "To check the map alone: --direction forward"


RULE = Rule(
    code="LDJ005",
    name="layer-raised",
    summary="raised an exception, or exited",
    page=Page.read(__doc__),
    match=_match,
)
