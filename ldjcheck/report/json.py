"""The JSON document, `ldjcheck-result-1`: the whole run, field by field."""

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from ldjcheck import __version__
from ldjcheck.records import Run
from ldjcheck.records.result import from_plain
from ldjcheck.report.blocks.title import count_statuses
from ldjcheck.report.style import Style

SCHEMA = "ldjcheck-result-1"


def document(run: Run) -> dict[str, Any]:
    """Return the run as plain dicts, lists, strings, numbers, booleans and None.

    NaN and infinities are the strings "nan", "inf" and "-inf". The same run gives the
    same document, in the same order.
    """
    plain = _plain(run)
    results, skipped = plain.pop("results"), plain.pop("skipped")
    return {
        "schema": SCHEMA,
        "tool": {
            "name": "ldjcheck",
            "version": __version__,
            "torch": _torch_version(),
            "python": ".".join(map(str, sys.version_info[:3])),
        },
        "run": plain,
        "summary": {"layers": len(run.results), **count_statuses(run)},
        "skipped": skipped,
        "results": results,
    }


def read_run(document: Mapping[str, Any]) -> Run:
    """Return the run that a document tells of."""
    run: Run = from_plain(
        Run, {**document["run"], **{k: document[k] for k in ("results", "skipped")}}
    )
    return run


def render(run: Run, style: Style) -> str:
    """Return the document as text. It looks the same in every style."""
    # ASCII only: it then survives any terminal, pipe and lone surrogate in a path.
    return json.dumps(document(run), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        written = [f for f in dataclasses.fields(value) if f.metadata.get("json", True)]
        return {field.name: _plain(getattr(value, field.name)) for field in written}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value


def _torch_version() -> str | None:
    """Return the installed version of torch, read without importing torch."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch")
    except PackageNotFoundError:
        return None
