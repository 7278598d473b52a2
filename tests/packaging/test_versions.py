"""The lower bounds of the package are versions that it was run with, as the page says."""

from __future__ import annotations

import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BOUND = dict(
    pair
    for each in PROJECT["dependencies"]
    for pair in re.findall(r"^([\w-]+)>=([\d.]+)", each)
)
PAGE = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
HEAD, *RUN = [
    [cell.strip() for cell in row.strip("| ").split("|")]
    for row in PAGE.splitlines()
    if re.match(r"\| (date |20\d\d-)", row)
]


@pytest.fixture(scope="module")
def script() -> Any:
    loader = SourceFileLoader("versions_script", str(ROOT / ".ci" / "versions"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_lowest_row_takes_every_dependency_at_its_bound(script: Any) -> None:
    assert script.lowest() == [f"{name}=={bound}" for name, bound in BOUND.items()]
    python, pins = script.ROWS["lowest"]
    assert PROJECT["requires-python"] == f">={python}"
    assert pins == script.lowest()


def test_the_lowest_versions_on_the_page_are_the_bounds() -> None:
    rows = [dict(zip(HEAD, row, strict=True)) for row in RUN if row[1] == "lowest"]
    assert rows
    for row in rows:
        assert row["Python"].startswith(PROJECT["requires-python"].removeprefix(">="))
        for name in ("torch", "numpy", "pytest", "hypothesis"):
            assert re.fullmatch(re.escape(BOUND[name]) + r"(\.0)?", row[name]), name


def test_no_row_on_the_page_failed(script: Any) -> None:
    assert len(RUN) >= 3
    for row in RUN:
        run = dict(zip(HEAD, row, strict=True))
        assert run["row"] in script.ROWS
        assert re.match(r"\d+ passed, ", run["result"]), run
        assert "failed" not in run["result"]
