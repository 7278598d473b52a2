"""The notebooks for a class run from top to bottom in a kernel, as a teacher would run them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from nbformat import NotebookNode

EXAMPLES = Path(__file__).parents[2] / "examples"

SOLUTIONS = {
    "torch.zeros(len(x))  # to be written\n        return 3 * x": (
        "torch.full((len(x),), x[0].numel() * math.log(3.0))\n        return 3 * x"
    ),
    "torch.zeros(len(y))  # to be written\n        return y / 3": (
        "torch.full((len(y),), -y[0].numel() * math.log(3.0))\n        return y / 3"
    ),
    "logsigmoid(x).mean(dim=1)": "logsigmoid(x).sum(dim=1)",
    "return x, self.log_scale.sum()": "return x, -self.log_scale.sum()",
    "torch.zeros(len(x))  # to be written": "log_scale.sum(dim=1)",
    "torch.zeros(len(y))  # to be written": "-log_scale.sum(dim=1)",
}
"""What a student has to write, by what stands there: the first that fits comes first."""

WRONG = {
    "torch.zeros(len(x))  # to be written\n        return 3 * x": (
        "torch.full((len(x),), 4 * math.log(3.0))\n        return 3 * x"
    ),  # right at one size only
    "torch.zeros(len(y))  # to be written\n        return y / 3": (
        "torch.full((len(y),), -4 * math.log(3.0))\n        return y / 3"
    ),
    "logsigmoid(x).mean(dim=1)": "logsigmoid(x)",
    "return x, self.log_scale.sum()": "return x, -self.log_scale.abs().sum()",
    "torch.zeros(len(x))  # to be written": "log_scale.sum(dim=1)",
}
"""What some students write; the last forgets the way back."""


def run(notebook: NotebookNode) -> list[str]:
    """Return what each cell of code prints and shows, as text."""
    kernel = NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}
    )
    kernel.execute()
    return [_shown(cell) for cell in notebook.cells if cell.cell_type == "code"]


def _shown(cell: Any) -> str:
    return "".join(
        out.get("text", "") or out.get("data", {}).get("text/plain", "")
        for out in cell.outputs
    )


def read(name: str) -> NotebookNode:
    return nbformat.read(EXAMPLES / name, as_version=4)


def test_notebooks_are_handed_out_without_outputs() -> None:
    for name in ("lecture.ipynb", "exercises.ipynb"):
        notebook = read(name)
        nbformat.validate(notebook)
        assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.slow
def test_the_lecture_shows_each_mistake_by_its_name() -> None:
    shown = "\n".join(run(read("lecture.ipynb")))
    for code in ("LDJ101", "LDJ105", "LDJ302", "LDJ109", "LDJ110"):
        assert f"FAIL  {code}" in shown
    assert "the image comes back: True\nthe sum of both numbers: 0.0" in shown
    assert "sublayer `second`" in shown


@pytest.mark.slow
def test_no_exercise_is_right_as_it_is_handed_out() -> None:
    checked = [text for text in run(read("exercises.ipynb")) if "not yet" in text]
    assert len(checked) == 5


def answered(answers: dict[str, str], pixels: str) -> list[str]:
    """Return what the exercises say to these answers."""
    notebook = read("exercises.ipynb")
    for cell in notebook.cells:
        for before, after in answers.items():
            cell.source = cell.source.replace(before, after)
        if "ChannelScale" in cell.source:
            before = "return y, self.log_scale.sum()"
            cell.source = cell.source.replace(before, f"return y, {pixels}")
    said = ("right\n", "not yet:\n")
    return [text.partition("\n")[0] for text in run(notebook) if text.startswith(said)]


@pytest.mark.slow
def test_every_exercise_can_be_solved_where_it_says() -> None:
    pixels = "(self.log_scale.sum() * x[0, 0].numel())"
    assert answered(SOLUTIONS, pixels) == ["right"] * 5


@pytest.mark.slow
def test_answers_that_are_right_by_chance_or_one_way_only_are_not_right() -> None:
    pixels = "(self.log_scale.sum() * x.shape[2] * x.shape[2])"
    assert answered(WRONG, pixels) == ["not yet:"] * 5
