"""A planted fault is one expression that is written otherwise."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mutants.faults import drawn

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''
"""1 + 1 is said, and no behaviour."""
from dataclasses import dataclass

LIMIT: int | None = 3


@dataclass(frozen=True)
class Layer:
    def ldj(self, x, full=False):
        if x < LIMIT and not full:
            raise ValueError(1 + 1)
        return x.abs() * (x - 1)  # λ stands here: bytes are counted, no characters
'''


def faults(tmp_path: Path) -> set[tuple[str, str]]:
    file = tmp_path / "layer.py"
    file.write_text(SOURCE, encoding="utf-8")
    sampled = [fault for seed in range(30) for fault in drawn([file], 99, seed)]
    for fault in sampled:
        ast.parse(fault.planted(file.read_bytes()))
    return {(fault.before, fault.after) for fault in sampled}


def test_what_decides_is_changed_and_nothing_that_is_only_said(tmp_path: Path) -> None:
    assert faults(tmp_path) == {
        ("3", "6"),
        ("False", "True"),
        ("x < LIMIT and not full", "not (x < LIMIT and (not full))"),
        ("x < LIMIT and not full", "x < LIMIT or not full"),
        ("x < LIMIT and not full", "x < LIMIT"),
        ("x < LIMIT", "x <= LIMIT"),
        ("x < LIMIT", "x >= LIMIT"),
        ("not full", "full"),
        ("x.abs() * (x - 1)", "None"),
        ("x.abs() * (x - 1)", "x.abs() / (x - 1)"),
        ("x.abs()", "x"),
        ("x - 1", "x + 1"),
        ("1", "2"),
    }


def test_the_function_of_a_fault_begins_at_its_decorators(tmp_path: Path) -> None:
    file = tmp_path / "layer.py"
    file.write_text("@wrapped\n@twice\ndef f(x):\n    return x + 1\n", encoding="utf-8")
    assert {fault.function for fault in drawn([file], 9, 0)} == {1}


def test_one_seed_draws_one_sample(tmp_path: Path) -> None:
    file = tmp_path / "layer.py"
    file.write_text(SOURCE, encoding="utf-8")
    assert drawn([file], 3, 7) == drawn([file], 3, 7)
