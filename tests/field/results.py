"""What a check says of one layer of the tables, for the page about all of them.

Eight libraries take seconds to load: only the processes that check a layer do so.
"""

from __future__ import annotations

from typing import Any


def layers_of(libraries: list[str]) -> list[tuple[str, str]]:
    """Return the library and the entry of every layer of some libraries, in order."""
    from field.tables import TABLES

    return [(library, name) for library in libraries for name in TABLES[library]]


def result_of(named: tuple[str, str]) -> dict[str, Any]:
    """Return what a check says of one layer, named by its library and its entry."""
    import torch

    import ldjcheck
    from field.tables import TABLES

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
