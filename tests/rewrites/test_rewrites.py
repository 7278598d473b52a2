"""A layer is judged alike, however it is written.

`python -m rewrites` rewrites everything in every way; here each kind meets a few.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from .code import copied, read
from .judging import Answer, Judge, compare_answers
from .kinds import KINDS
from .loading import built, loaded
from .same import are_same
from .subjects import Subject, subjects

if TYPE_CHECKING:
    from pathlib import Path

COUPLING = """\
from __future__ import annotations
import torch
from torch import nn

class Coupling(nn.Module):

    def __init__(self, features=4):
        super().__init__()
        self.net = nn.Linear(features // 2, features)
        self.register_buffer('shift', torch.ones(features // 2))

    def forward(self, x):
        x1, x2 = x.chunk(2, dim=1)
        a, t = self.net(x1).chunk(2, dim=1)
        a = torch.tanh(a)
        z = torch.cat([x1, x2 * a.exp() + t + self.shift], dim=1)
        ldj = a.sum(dim=1)
        return (z, ldj)
"""
AS_WRITTEN = Subject(name="coupling", text=COUPLING, target="Coupling")
LINE = 1 + COUPLING.splitlines().index("        ldj = a.sum(dim=1)")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(tmp_path_factory.mktemp("rewritten"))


def rewritten(kind: str, seed: int = 0) -> tuple[str, dict[int, frozenset[int]], str]:
    """Return the coupling in other words, where its lines are from, and its name."""
    code = copied(read(COUPLING, "Coupling"))
    assert KINDS[kind](code, random.Random(seed))
    return code.text(), code.lines(), code.target


# The rewriter


@pytest.mark.thinned(2)
@pytest.mark.parametrize("kind", KINDS)
def test_a_rewritten_coupling_is_the_same_function_in_other_words(
    kind: str, tmp_path: Path
) -> None:
    text, lines, target = rewritten(kind)
    assert text != COUPLING
    assert LINE in frozenset().union(*lines.values())
    one = built(loaded(COUPLING, tmp_path), "Coupling")
    assert are_same(one, built(loaded(text, tmp_path), target), (4,))


def test_another_function_is_told_apart(tmp_path: Path) -> None:
    one = built(loaded(COUPLING, tmp_path), "Coupling")
    for old, new in (("a.sum(dim=1)", "a.mean(dim=1)"), ("+ t", "- t")):
        other = built(loaded(COUPLING.replace(old, new), tmp_path), "Coupling")
        assert not are_same(one, other, (4,))


def test_only_what_a_protocol_asks_for_keeps_its_name() -> None:
    text, _, _ = rewritten("locals renamed")
    assert not {"x1", "x2", "ldj", "features"} & {*text.replace("(", " ").split()}
    text, _, target = rewritten("members renamed")
    assert target != "Coupling"
    assert "def forward(self, x):" in text
    assert "self.net" not in text
    assert "'shift'" not in text


def test_a_line_is_found_again_wherever_it_went() -> None:
    for kind in KINDS:
        text, lines, _ = rewritten(kind)
        here = [number for number, of in lines.items() if LINE in of]
        assert any(".sum(dim=1)" in text.splitlines()[number - 1] for number in here)


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (Answer(status="fail", code="LDJ101", lines=frozenset({3, 4})), "same"),
        (Answer(status="fail", code="LDJ101", lines=frozenset({5})), "changed"),
        (Answer(status="fail", code="LDJ101", lines=None), "changed"),
        (Answer(status="fail", code="LDJ114", lines=frozenset({4})), "changed"),
        (Answer(status="pass", code="LDJ101", lines=frozenset({4})), "changed"),
        (Answer(status="unproven", code="LDJ405", lines=None), "open"),
    ],
)
def test_status_code_and_line_make_the_verdict(after: Answer, state: str) -> None:
    before = Answer(status="fail", code="LDJ101", lines=frozenset({4}))
    assert compare_answers(before, after) == state


# The law

CHANGES = {
    ("layer right, a method for the ldj, of y", "locals renamed"): "x or y by its name",
    (
        "layer right, a method for the ldj, of y",
        "several at once",
    ): "x or y by its name",
    ("layer wrong, a sampler", "helper of two"): "the helper's call is as near",
    ("layer wrong, a flow of layers", "helper of two"): "the helper's call is as near",
    ("page size-hard-coded wrong", "module to function"): "a function has no line",
}
"""What a rewrite still changes, and why."""

PAIRS = [
    pytest.param(
        subject,
        kind,
        id=f"{subject.name}, {kind}",
        marks=[pytest.mark.xfail(reason=CHANGES[subject.name, kind])]
        if (subject.name, kind) in CHANGES
        else [],
    )
    for at, subject in enumerate(subjects())
    for number, kind in enumerate(KINDS)
    if not (at + number) % 8
]


@pytest.mark.thinned(343)
@pytest.mark.parametrize(("subject", "kind"), PAIRS)
def test_a_layer_is_judged_alike_in_other_words(
    subject: Subject, kind: str, judge: Judge
) -> None:
    row = judge.compare_rewrite(subject, kind)
    both_fail = row.before.startswith("fail") and row.after.startswith("fail")
    if both_fail and row.state == "changed":
        pytest.xfail("it fails as before, and another name or line is told")
    assert row.state != "changed", f"{row}\n{row.text}"
