"""LDJ490: an ignored finding no longer occurs.

A finding is ignored, and it does not occur (any more). The mistake may be mended;
what is left hides the next one of its kind.

The rule:
    What is ignored must be found, or the entry is stale. This is asked where
    one layer is meant: of `per-target-ignore` in pyproject.toml, of
    `--ignore` beside a single target, of `ignore=` in Python, and of a
    comment `# ldjcheck: ignore[LDJ101] why` in a line of the layer's class.

How it shows:
    The layer was checked as always, and what is ignored was not found.

For example:
    import math

    from torch import nn

    class Double(nn.Module):
        def forward(self, x):
            dims = x[0].numel()
            return 2 * x, x.new_full((len(x),), dims * math.log(2))

Run:
    ldjcheck flow.py:Double --ignore LDJ101 --strict

You see:
    warning LDJ490: LDJ101 missing-dims-factor is ignored, and does not occur.

What to do:
    Take the entry out. If the layer shows the finding only with certain weights or at
    certain sizes, give `--seed`, `--shape` or `--params` as when it was seen.

Easily confused with:
    LDJ401: the check could not have shown anything
    LDJ402: the numbers are too rough to show a mistake
"""

from ldjcheck.mistakes.catalogue import Page, Rule

RULE = Rule(
    code="LDJ490",
    name="stale-suppression",
    severity="warning",
    summary="an ignored finding no longer occurs",
    page=Page.read(__doc__),
)
