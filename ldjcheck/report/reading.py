"""From the JSON document back to records, for results that come from another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ldjcheck.records import (
    Check,
    Dimension,
    Edit,
    Finding,
    Fix,
    Ignored,
    Law,
    LawPoint,
    LedgerLine,
    Location,
    Result,
    Run,
    Sample,
    Skipped,
    SublayerLine,
)
from ldjcheck.records.result import Assumption, ReadAs

_WORDS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
_NUMBERS = (
    "seconds", "tolerance", "worst", "reported", "exact", "difference", "allowed",
    "exact_total", "reported_total", "bits_per_dim", "residual_after",
)  # fmt: skip
"""The keys under which a word such as "nan" is a number."""


def read_run(document: Mapping[str, Any]) -> Run:
    """Return the run that a document tells of: the inverse of `json.document`."""
    return Run(
        **_fields(document["run"]),
        results=tuple(read_result(each) for each in document["results"]),
        skipped=tuple(Skipped(**each) for each in document["skipped"]),
    )


def read_result(plain: Mapping[str, Any]) -> Result:
    """Return one entry of a document's `results` as a record."""
    return Result(
        **_fields(plain)
        | {
            "checks": tuple(map(_check, plain["checks"])),
            "ledger": tuple(LedgerLine(**_fields(each)) for each in plain["ledger"]),
            "findings": tuple(map(_finding, plain["findings"])),
            "sublayers": tuple(SublayerLine(**_fields(s)) for s in plain["sublayers"]),
            "readings": tuple(map(_read_as, plain["readings"])),
            "ignored": tuple(Ignored(**each) for each in plain["ignored"]),
        }
    )


def _read_as(plain: Mapping[str, Any]) -> ReadAs:
    assumed = tuple(Assumption(**each) for each in plain["assumptions"])
    return ReadAs(**_fields(plain) | {"assumptions": assumed})


def _check(plain: Mapping[str, Any]) -> Check:
    return Check(
        **_fields(plain)
        | {
            "samples": tuple(Sample(**_fields(each)) for each in plain["samples"]),
            "dimensions": tuple(Dimension(**_fields(d)) for d in plain["dimensions"]),
        }
    )


def _finding(plain: Mapping[str, Any]) -> Finding:
    law, location, fix = plain["law"], plain["location"], plain["fix"]
    return Finding(
        **_fields(plain)
        | {
            "law": None if law is None else _law(law),
            "location": None if location is None else Location(**location),
            "fix": None if fix is None else _fix(fix),
        }
    )


def _law(plain: Mapping[str, Any]) -> Law:
    points = tuple(LawPoint(**_fields(each)) for each in plain["points"])
    return Law(expression=plain["expression"], points=points)


def _fix(plain: Mapping[str, Any]) -> Fix:
    edits = tuple(Edit(**each) for each in plain["edits"])
    return Fix(**_fields(plain) | {"edits": edits})


def _fields(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's fields: lists as tuples, words for numbers as numbers."""
    return {
        key: _WORDS.get(value, value)
        if key in _NUMBERS and isinstance(value, str)
        else tuple(value)
        if isinstance(value, list)
        else value
        for key, value in plain.items()
    }
