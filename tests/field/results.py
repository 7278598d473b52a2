"""What a check says of one layer of the tables, for the page about all of them.

Eight libraries take seconds to load: only the processes that check a layer do so.
"""

from __future__ import annotations

from typing import Any


def layers_of(library: str) -> list[tuple[bool, str, str]]:
    """Return the library and entry of each of its layers, and whether nothing is wrong."""
    from field.tables import TABLES

    return [(e.known is None, library, name) for name, e in TABLES[library].items()]


def result_of(library: str, name: str) -> dict[str, Any]:
    """Return what a check says of one layer, named by its library and its entry."""
    import torch

    import ldjcheck
    from field.tables import TABLES

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
