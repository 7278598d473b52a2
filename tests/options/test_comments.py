"""A comment lets a mistake not count in its line, as settings do, and needs a reason."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from command import ldjcheck_in

import ldjcheck
from ldjcheck.options.comments import ignored_in_source
from ldjcheck.records import Finding, Layer, Location, Options, Result, Suppression
from ldjcheck.search import check_layer
from ldjcheck.session.targets import Checked, Request, check_target

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """\
import torch
from torch import nn


class Layer(nn.Module):
    def forward(self, x):
        ldj = torch.log(torch.cosh(x)).mean(dim=1)  # COMMENT
        return torch.sinh(x), ldj
"""
RIGHT = WRONG.replace("mean", "sum")
COMMANDED = ("--shape", "4", "--format", "concise")


def written(folder: Path, comment: str, source: str = WRONG) -> Path:
    """Write a layer whose line 7 ends in a comment."""
    path = folder / "flow.py"
    path.write_text(source.replace("COMMENT", f"ldjcheck: {comment}"))
    return path


def built(path: Path, name: str = "Layer") -> Any:
    """Return a layer of a file that Python has imported."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_flow", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)()


def ignored(folder: Path, comment: str, source: str = WRONG) -> list[Suppression]:
    return list(ignored_in_source(built(written(folder, comment, source))))


def refused(folder: Path, comment: str) -> str:
    with pytest.raises(ValueError, match="flow") as caught:
        ignored(folder, comment)
    return str(caught.value).replace(str(folder), "")


# --- what a comment says --------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "codes", "reason"),
    [
        ("ignore[LDJ105] as in the paper", ["LDJ105"], "as in the paper"),
        ("ignore[mean-not-sum]: as in #12", ["LDJ105"], "as in #12"),
        ("ignore[LDJ105, sign-flipped] why", ["LDJ105", "LDJ104"], "why"),
        ("ignore[ldj105]  -- why  # noqa: E501", ["LDJ105"], "why"),
    ],
)
def test_codes_and_names_are_ignored_in_the_line_of_the_comment(
    comment: str, codes: list[str], reason: str, tmp_path: Path
) -> None:
    found = ignored(tmp_path, comment)
    assert [(each.code, each.reason) for each in found] == [(c, reason) for c in codes]
    for each in found:
        assert each.place is not None
        assert (each.place.file, each.place.line) == (str(tmp_path / "flow.py"), 7)
        assert each.expected


def test_many_mistakes_by_one_word_need_not_all_occur(tmp_path: Path) -> None:
    found = ignored(tmp_path, "ignore[LDJ2] why")
    assert len(found) > 1
    assert not any(each.expected for each in found)


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        (
            "ignore[LDJ105]",
            "ignore[LDJ105]: give the reason: # ldjcheck: ignore[LDJ105] why.",
        ),
        ("ignore[LDJ99] why", "ignore[LDJ99]: did you mean LDJ199 or LDJ490?"),
        ("ignore[sign-fliped] why", "ignore[sign-fliped]: did you mean sign-flipped?"),
        ("ignore[LDJ001] why", "ignore[LDJ001]: LDJ001 says that nothing was checked."),
        (
            "ignore why",
            "ignore: name the mistake: # ldjcheck: ignore[LDJ117] why.",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(
    comment: str, told: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, comment) == f"/flow.py, line 7: {told}"


@pytest.mark.parametrize(
    ("comment", "source"),
    [
        ("ignore[LDJ105] why", WRONG.replace("# COMMENT", "")),
        ("is right here", WRONG),
        ("ignored[LDJ105] once", WRONG),
    ],
)
def test_only_a_comment_that_ignores_is_one(
    comment: str, source: str, tmp_path: Path
) -> None:
    text = f'TEXT = "# ldjcheck: {comment}"\n{source}'
    assert ignored(tmp_path, comment, text) == []


def test_a_finding_of_another_line_is_not_hidden() -> None:
    place = Location(file="flow.py", line=7)
    here = Suppression(code="LDJ105", reason="why", place=place)
    found = Finding(code="LDJ105", name="n", severity="error", message="m")
    assert not here.hides(found)  # it has no line
    assert here.hides(replace(found, location=replace(place, column=3)))
    assert not here.hides(replace(found, location=replace(place, line=8)))
    assert not here.hides(replace(found, location=replace(place, cell=7)))
    assert not here.hides(replace(found, code="LDJ104", location=place))


# --- what it does ----------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_ignored_in_a_line_passes_with_its_reason(tmp_path: Path) -> None:
    written(tmp_path, "ignore[mean-not-sum] as in the paper")
    ran = ldjcheck_in(tmp_path, "flow.py:Layer", "--shape", "4")
    assert ran.returncode == 0
    first, _, second, *_ = ran.stdout.splitlines()
    assert first.endswith("PASS  1 ignored")
    assert second == "  1 finding ignored: LDJ105 (as in the paper)"


@pytest.mark.slow
def test_what_no_longer_occurs_is_told_with_its_line(tmp_path: Path) -> None:
    written(tmp_path, "ignore[mean-not-sum] as in the paper", RIGHT)
    ran = ldjcheck_in(tmp_path, "flow.py:Layer", *COMMANDED)
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0] == (
        "flow.py:7: LDJ490 warning: Line 7 ignores LDJ105 mean-not-sum, which does not "
        "occur"
    )
    assert ldjcheck_in(tmp_path, "flow.py:Layer", "--strict").returncode == 1


def test_a_comment_without_a_reason_is_a_slip_of_the_command(tmp_path: Path) -> None:
    written(tmp_path, "ignore[LDJ105]")
    for target in ("flow.py:Layer", "flow.py"):
        ran = ldjcheck_in(tmp_path, target, *COMMANDED)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.endswith(
            "Error: flow.py, line 7: ignore[LDJ105]: give the reason: "
            "# ldjcheck: ignore[LDJ105] why.\n"
        )


@pytest.mark.slow
def test_lines_of_helpers_and_of_sublayers_count_and_are_not_stale(
    tmp_path: Path,
) -> None:
    (tmp_path / "helpers.py").write_text(
        "import torch\n\n\ndef density(x):\n"
        "    return torch.log(torch.cosh(x)).mean(dim=1)"
        "  # ldjcheck: ignore[LDJ105, LDJ107] known\n"
    )
    (tmp_path / "flow.py").write_text(
        "import helpers, torch\n\n\nclass Layer(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.sinh(x), helpers.density(x)\n"
    )
    ran = ldjcheck_in(tmp_path, "flow.py:Layer", *COMMANDED)
    assert ran.stdout.startswith("No mistakes that count in 1 layer, 1 finding ignored")


@pytest.mark.slow
def test_a_cell_of_a_notebook_ignores_in_its_own_lines(tmp_path: Path) -> None:
    source = f"%matplotlib inline\n{WRONG}"
    source = source.replace("COMMENT", "ldjcheck: ignore[LDJ105, LDJ104] known")
    cells = [
        {
            "cell_type": "code", "execution_count": None, "metadata": {},
            "outputs": [], "source": text,
        }
        for text in ("import math", source)
    ]  # fmt: skip
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "flow.ipynb").write_text(json.dumps(notebook))
    ran = ldjcheck_in(tmp_path, "flow.ipynb:Layer", *COMMANDED)
    stale, end = ran.stdout.splitlines()
    assert stale == (
        "flow.ipynb:cell 2:8: LDJ490 warning: Line 8 ignores LDJ104 sign-flipped, which "
        "does not occur"
    )
    assert end.startswith("No mistakes that count in 1 layer, 1 finding ignored")


def test_a_check_in_python_reads_comments_too(tmp_path: Path) -> None:
    layer = built(written(tmp_path, "ignore[LDJ105] known"))
    report = ldjcheck.check(layer, shape=4)
    assert report.status == "pass"
    assert [(i.code, i.reason) for i in report.result.ignored] == [("LDJ105", "known")]
    ldjcheck.assert_ldj(layer, shape=4)


def test_a_comment_without_a_reason_raises_in_python(tmp_path: Path) -> None:
    layer = built(written(tmp_path, "ignore[LDJ105]"))
    with pytest.raises(ValueError, match=r"line 7: ignore\[LDJ105\]: give the reason"):
        ldjcheck.check(layer, shape=4)


def test_who_grades_a_source_is_told_nothing_by_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(
        sys, "modules", dict(sys.modules)
    )  # the file is forgotten after
    path = written(tmp_path, "ignore[LDJ105] so that nobody sees it")

    def status(request: Request) -> str:
        checked = check_target(f"{path}:Layer", request)
        assert isinstance(checked, Checked)
        return checked.result.status  # type: ignore[union-attr]  # it is a layer

    options = Options(shape=((None, (4,)),))
    assert status(Request(options=options)) == "fail"
    assert status(Request(options=options, comments=True)) == "pass"


def test_no_file_of_a_library_is_searched(tmp_path: Path) -> None:
    from torch.distributions import AffineTransform

    assert ignored_in_source(AffineTransform(0.0, 1.0)) == ()


def test_nothing_is_stale_before_all_is_known(tmp_path: Path) -> None:
    layer = built(written(tmp_path, "ignore[LDJ105] known"))
    told: list[Result] = []
    options = Options(shape=((None, (4,)),), ignore=ignored_in_source(layer))
    last = check_layer(
        Layer(target="Layer", name="Layer", obj=layer),
        options,
        tell=lambda known: told.append(known) if isinstance(known, Result) else None,
    )
    assert last.status == "pass"
    first = told[0]
    assert [f.code for f in first.findings] == ["LDJ199"]  # nobody has said why yet
