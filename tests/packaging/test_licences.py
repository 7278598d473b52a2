"""What the package stands on may be used by whoever may use the package."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest

requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
FREE = re.compile(r"\b(MIT|0?BSD|Apache|MPL|PSF|Python Software|ISC|Zlib|HPND)", re.I)
BOUND = re.compile(r"\bA?GPL|Affero|Proprietary|Commercial", re.I)
OF_CUDA = ("nvidia-", "cuda-", "triton")  # come with builds of torch for such devices


def licence(name: str) -> str:
    """Return what the metadata of an installed package says of its licence."""
    about = metadata(name)
    for field in ("License-Expression", "License"):
        if said := about.get(field):
            return str(said).splitlines()[0]
    kinds = [each for each in about.get_all("Classifier") or () if "License ::" in each]
    return "; ".join(kind.rpartition(" :: ")[2] for kind in kinds)


def needed(name: str, extra: str = "") -> set[str]:
    """Return the names of what a package needs, here, without its extras."""
    parsed = [requirements.Requirement(text) for text in requires(name) or ()]
    return {
        each.name.lower()
        for each in parsed
        if each.marker is None or each.marker.evaluate({"extra": extra})
    }


def all_needed() -> dict[str, str]:
    """Return the licence of everything that is installed with the package."""
    found: dict[str, str] = {}
    left = needed("ldjcheck")
    while left:
        name = left.pop()
        if name in found or name.startswith(OF_CUDA):
            continue
        try:
            found[name] = licence(name)
        except PackageNotFoundError:
            continue
        left |= needed(name)
    return found


def test_nothing_that_is_installed_with_it_binds_whoever_uses_it() -> None:
    found = all_needed()
    assert len(found) > 10
    odd = {n: s for n, s in found.items() if not FREE.search(s) or BOUND.search(s)}
    assert not odd


def test_the_page_lists_what_the_package_needs_with_its_licence() -> None:
    _, _, rest = PAGE.partition("## What it stands on\n")
    told = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", rest, re.MULTILINE))
    direct = needed("ldjcheck")
    assert direct <= set(told)
    for name in direct:
        (kind,) = re.findall(r"^\w+", told[name])
        assert kind in licence(name), name
