"""The example notebook: right as it stands, and each planted mistake has its name.

Its data and training cells would raise: they need a network, a file and time.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ldjcheck.api import check_layer
from ldjcheck.records import Options, Result
from ldjcheck.targets import find_layers, load_layer, parse_target

NOTEBOOK = Path(__file__).parents[2] / "examples" / "image_flow.ipynb"
FLOOR = (1, 2, 3)


def checked(
    folder: Path, expr: str, shape: tuple[int, ...], edit: tuple[str, str] | None = None
) -> Result:
    """Return the result of a layer of the notebook, with one line edited."""
    content = json.loads(NOTEBOOK.read_text())
    if edit is not None:
        before, after = edit
        cells = [c for c in content["cells"] if before in "".join(c["source"])]
        assert len(cells) == 1
        whole = "".join(cells[0]["source"])
        assert whole.count(before) == 1
        cells[0]["source"] = whole.replace(before, after).splitlines(keepends=True)
    path = folder / "image_flow.ipynb"
    path.write_text(json.dumps(content))
    torch.manual_seed(0)
    layer = load_layer(parse_target(f"{path}:{expr}"))
    return check_layer(layer, Options(shape=((None, shape),)))


@pytest.mark.thinned(8)
@pytest.mark.parametrize(
    ("expr", "shape"),
    [
        ("Dequantization", FLOOR),
        ("SqueezeFlow", (1, 2, 6)),
        ("create_checkerboard_coupling(2)", (1, 2, 2)),
        ("create_channel_coupling(4)", (4, 1, 3)),
        ("SplitFlow", (2, 1, 3)),
        ("create_simple_flow(2)", (1, 2, 2)),
        ("create_variational_dequantization(2)", (1, 2, 2)),
        ("create_multiscale_flow(4)", (1, 4, 4)),
    ],
)
def test_a_layer_is_right_as_it_stands(
    tmp_path: Path, expr: str, shape: tuple[int, ...]
) -> None:
    result = checked(tmp_path, expr, shape)
    assert result.status == "pass"
    assert [f for f in result.findings if f.severity != "note"] == []
    assert "no data was downloaded, nothing was trained" in result.inferred["source"]


def place_of(line: str) -> tuple[int, int]:
    """Return the cell and the line at which a line of code stands."""
    for number, cell in enumerate(json.loads(NOTEBOOK.read_text())["cells"], 1):
        lines = "".join(cell["source"]).splitlines()
        if any(line in each for each in lines):
            return number, next(i for i, each in enumerate(lines, 1) if line in each)
    raise LookupError(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expr", "shape", "before", "after", "name"),
    [
        (
            "Dequantization", FLOOR,
            "z = z / self.quants\n        ldj = ldj - math.log(self.quants) * z[0].numel()",
            "z = z / self.quants\n        ldj = ldj - math.log(self.quants)",
            "missing-dims-factor",
        ),
        (
            "Dequantization", FLOOR,
            "ldj = ldj + math.log(1 - self.alpha) * z[0].numel()",
            "ldj = ldj - math.log(1 - self.alpha) * z[0].numel()",
            "sign-flipped",
        ),
        (
            "Dequantization", FLOOR,
            "ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])",
            "ldj = ldj + (-torch.log(z) - torch.log(1 - z)).mean(dim=[1, 2, 3])",
            "mean-not-sum",
        ),
        (
            "create_checkerboard_coupling(2)", (1, 2, 2),
            "ldj = ldj + s.sum(dim=[1, 2, 3])",
            "ldj = ldj - s.sum(dim=[1, 2, 3])",
            "sign-flipped",
        ),
        (
            "create_simple_flow(2)", (1, 2, 2),
            "ldj = ldj + s.sum(dim=[1, 2, 3])",
            "ldj = ldj + s.sum()",
            "batch-reduced",
        ),
        (
            "create_channel_coupling(4)", (4, 1, 3),
            "ldj = ldj - s.sum(dim=[1, 2, 3])",
            "ldj = ldj + s.sum(dim=[1, 2, 3])",
            "inverse-sign",
        ),
        (
            "SqueezeFlow", (1, 2, 6),
            "return z.reshape(b, 4 * c, h // 2, w // 2), ldj",
            "return z.reshape(b, 4 * c, h // 2, w // 2), ldj + 1",
            "one-for-zero",
        ),
        (
            "create_variational_dequantization(2)", (1, 2, 2),
            "ldj = ldj - (torch.log(noise) + torch.log(1 - noise)).sum(dim=[1, 2, 3])",
            "ldj = ldj + (torch.log(noise) + torch.log(1 - noise)).sum(dim=[1, 2, 3])",
            "sign-flipped",
        ),
    ],
    ids=["dims factor", "sign of a constant", "mean", "sign of the coupling",
         "sum over the batch", "sign of the way back", "one",
         "sign of the noise's logit"],
)  # fmt: skip
def test_a_planted_mistake_is_named_in_its_cell(
    tmp_path: Path,
    expr: str,
    shape: tuple[int, ...],
    before: str,
    after: str,
    name: str,
) -> None:
    result = checked(tmp_path, expr, shape, (before, after))
    assert result.status == "fail"
    finding = result.findings[0]
    assert finding.name == name
    assert finding.location is not None
    assert finding.location.file.endswith("image_flow.ipynb")
    cell, line = place_of(before.splitlines()[0])
    line += before.count("\n")
    assert (finding.location.cell, finding.location.line) == (cell, line)


def test_a_split_with_a_wrong_density_is_named(tmp_path: Path) -> None:
    before = "ldj = ldj + self.prior.log_prob(dropped).sum(dim=[1, 2, 3])"
    edit = before, before.replace("ldj + ", "ldj - ")
    result = checked(tmp_path, "SplitFlow", (2, 1, 3), edit)
    assert result.status == "fail"
    assert result.findings[0].name == "split-prior-wrong"


@pytest.mark.slow
def test_a_wrong_density_is_named_in_the_flow_that_holds_the_split(
    tmp_path: Path,
) -> None:
    before = "ldj = ldj + self.prior.log_prob(dropped).sum(dim=[1, 2, 3])"
    edit = before, before.replace("sum", "mean")
    finding = checked(tmp_path, "create_multiscale_flow(4)", (1, 4, 4), edit).findings[
        0
    ]
    assert finding.name == "split-prior-wrong"
    assert finding.message.startswith("In sublayer `layers[5]` (SplitFlow):")
    assert finding.location is not None
    assert (finding.location.cell, finding.location.line) == place_of(before)


def test_layers_are_found_and_training_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "image_flow.ipynb"
    path.write_text(NOTEBOOK.read_text())
    found = find_layers(str(path))
    assert "Dequantization" in found.candidates
    assert "create_multiscale_flow" in found.candidates
    assert "train" not in found.candidates
    reasons = {each.target.rpartition(":")[2]: each.why for each in found.skipped}
    assert reasons["trained"] == "not run: cell 20, line 14 trains"
    assert reasons["CouplingLayer"].startswith("needs network, mask and channels:")
    assert [p.name for p in tmp_path.iterdir()] == ["image_flow.ipynb"]
