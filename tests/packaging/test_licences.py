"""What the package stands on may be used by whoever may use the package."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def audit() -> Any:
    loader = SourceFileLoader("audit_script", str(ROOT / ".ci" / "audit"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_nothing_that_is_installed_with_it_binds_whoever_uses_it(audit: Any) -> None:
    found = audit.all_needed()
    assert len(found) > 10
    assert not audit.odd(found)


def test_the_page_lists_what_the_package_needs_with_its_licence(audit: Any) -> None:
    _, _, rest = PAGE.partition("## What it stands on\n")
    told = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", rest, re.MULTILINE))
    direct = audit.needed("ldjcheck")
    assert direct <= set(told)
    for name in direct:
        (kind,) = re.findall(r"^\w+", told[name])
        assert kind in audit.licence(name), name


HOLE = {"id": "CVE-1", "fix_versions": ["2.1"]}
UNMENDED = {"id": "CVE-2", "fix_versions": []}


@pytest.mark.parametrize(
    ("vulns", "is_open"), [([HOLE], True), ([UNMENDED], False), ([], False)]
)
def test_a_hole_that_a_newer_version_mends_fails(
    audit: Any, vulns: list[Any], is_open: bool
) -> None:
    told = {
        "dependencies": [
            {"name": "a", "version": "2.0", "vulns": vulns},
            {"name": "b", "skip_reason": "not found"},
        ]
    }
    lines, found = audit.judged(told)
    assert found is is_open
    assert "1 of 2 packages looked up" in lines[-1]


@pytest.mark.parametrize("told", [None, {"dependencies": [{"skip_reason": "no"}]}])
def test_where_nobody_can_be_asked_that_is_no_clean_bill(audit: Any, told: Any) -> None:
    (line,), is_open = audit.judged(told)
    assert "skipped" in line
    assert not is_open
