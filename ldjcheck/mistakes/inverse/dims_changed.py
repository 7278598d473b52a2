"""LDJ305: the output has more or fewer dims than the input: there is no determinant.

The Jacobian is not square. A layer that splits dims off, or maps into a larger
space, has no log|det J|; what its ldj can mean is another number, and that is
checked where it can be told.

The rule:
    split x = (kept, dropped):  ldj = log p(dropped | kept), which integrates to 1
    into more dims:             ldj = log det(J^T J) / 2
    A split that claims nothing about the dropped part reports 0.
    onto a simplex:             log|det J| of all entries but the last

How it shows:
    A note. The status is pass where what stands in was borne out, fail with
    LDJ501 where a density was claimed that is none, and unproven otherwise.

For example:
    import torch
    from torch import nn

    class Half(nn.Module):
        # Keeps the first half; the rest goes to the end of the flow.
        def forward(self, x):
            return x[:, : x.shape[1] // 2], torch.zeros(len(x))

Run:
    ldjcheck flow.py:Half --shape 4

You see:
    flow.py:Half
    ...
    note LDJ305: 4 dims go in and 2 come out, so the Jacobian has no determinant.
    ...

What to do:
    Nothing, where the note says what was checked. Else return the dropped dims too,
    or let a layer of its own drop them, and add their log-density: a flow that calls
    such layers is checked as a map to all dims.

What it costs:
    Nothing by itself.

Question:
    How many numbers go in, and how many come out?

Easily confused with:
    LDJ501: the density that is claimed for the dropped part is wrong
    LDJ304: as many dims come out as go in, but they depend on each other
"""

from collections.abc import Iterator, Sequence

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, FactorOut, Finding

_INSTEAD = {
    "split": "checked instead: exp(ldj) is a density of the part that is dropped",
    "nothing": "dims are dropped and nothing is claimed about them: ldj = 0 is right",
    "volume": "checked instead: the volume factor, log det(J^T J) / 2",
    None: "nothing could be checked in its place: no split that copies was called",
}


def _match(comparison: Comparison) -> Iterator[Finding]:
    if comparison.measurement.calls.departures:
        yield _on_the_way(comparison.measurement.calls.departures)
    if comparison.measurement.calls.lacks_density:
        if comparison.forward.check.status == "unproven":
            yield RULE.finding(
                "The base is asked about some of the dims: what gives the others a "
                "density?",
                direction="forward",
                evidence=(_INSTEAD[None],),
            )
        return
    for verdict in comparison.verdicts:
        if verdict.resized is None or verdict.faults:
            continue
        before, after = verdict.resized
        of_model = comparison.measurement.calls.convention == "model"
        yield RULE.finding(
            f"The base is asked about {after} of {before} dims: what gives the others "
            "a density?"
            if of_model and after < before
            else f"{before} dims go in and {after} come out, so the Jacobian has no "
            "determinant.",
            direction=verdict.direction,
            evidence=(_INSTEAD[verdict.instead],),
        )


def _on_the_way(departures: Sequence[FactorOut]) -> Finding:
    names = ", ".join(each.name for each in departures)
    return RULE.finding(
        f"Dims leave the flow on the way, at {names}.",
        direction="forward",
        evidence=(
            "checked instead: the map to all dims, kept and dropped, without log p",
            "and of each split by itself, that exp(ldj) is a density of what it drops",
        ),
    )


RULE = Rule(
    code="LDJ305",
    name="dims-changed",
    severity="note",
    summary="not square: what is checked instead",
    page=Page.read(__doc__),
    match=_match,
)
