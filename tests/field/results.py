"""What a check says of one layer of the tables, for the page about all of them."""

from __future__ import annotations

from typing import Any

import torch

import ldjcheck
from field.tables import TABLES


def result_of(named: tuple[str, str]) -> dict[str, Any]:
    """Return what a check says of one layer, named by its library and its entry."""
    library, name = named
    entry = TABLES[library][name]
    torch.manual_seed(0)
    report = ldjcheck.check(entry.build(), **entry.flags)
    grave = [f for f in report.findings if f.severity in ("error", "unproven")]
    worst = [c.worst for c in report.checks if c.name == "ldj" and c.worst]
    return {
        "library": library,
        "name": name,
        "status": report.status,
        "flags": bool(entry.flags),
        "code": f"{grave[0].code} {grave[0].name}" if grave else "",
        "direction": (grave[0].direction or "") if grave else "",
        "worst": max(worst, default=None),
        "known": entry.known,
        "why": entry.why,
    }
