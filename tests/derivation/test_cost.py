"""Deriving takes few calls of the layer."""

from __future__ import annotations

from pathlib import Path

import ldjcheck

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_few_calls_are_made_of_a_layer_of_the_tutorial(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from actnorm import ActNorm

    class Counting(ActNorm):
        calls = 0

        def forward(self, *given, **named):
            type(self).calls += 1
            return super().forward(*given, **named)

    report = ldjcheck.derive(Counting(4))
    assert report.derived is not None
    assert report.derived.applicability == "verified"
    assert Counting.calls <= 110
