"""The JSON document: word for word, valid, and in step with records and schema."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from report_runs import (
    DIMS_FACTOR,
    ERROR,
    FAIL,
    FAILED,
    PASS,
    RUN,
    SUBLAYER,
    UNPROVEN,
    run,
    samples,
)

import ldjcheck
from ldjcheck import records
from ldjcheck.records import Run, words
from ldjcheck.records import result as of_results
from ldjcheck.records.result import Skipped
from ldjcheck.report import Style
from ldjcheck.report.json import document, read_run, render

PLAIN = Style(color=False, verbosity=0)
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "result.schema.json").read_text("utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RECORDS = {
    "skipped": of_results.Skipped,
    "result": records.Result,
    "check": records.Check,
    "sample": records.Sample,
    "dimension": of_results.Dimension,
    "sublayerLine": records.result.SublayerLine,
    "ledgerLine": records.LedgerLine,
    "finding": records.Finding,
    "law": records.Law,
    "lawPoint": records.result.LawPoint,
    "location": records.Location,
    "fix": records.Fix,
    "edit": records.Edit,
    "ignored": of_results.Ignored,
    "reading": of_results.ReadAs,
    "assumption": of_results.Assumption,
    "derived": records.Derived,
    "derivedStep": records.result.DerivedStep,
    "obstacle": records.result.Obstacle,
}


def only(text: str) -> Any:
    """Return the parsed document, which must be strict JSON."""

    def refuse(literal: str) -> None:
        raise AssertionError(f"{literal} is no JSON")

    return json.loads(text, parse_constant=refuse)


# --- the document ----------------------------------------------------------------

GOLDEN = """\
{
  "schema": "ldjcheck-result-1",
  "tool": {
    "name": "ldjcheck",
    "version": "%s",
    "torch": "%s",
    "python": "%s"
  },
  "run": {
    "seed": 0,
    "exit_code": 2,
    "seconds": 0.42,
    "command": "ldjcheck deq.py:Dequantization"
  },
  "summary": {
    "layers": 1,
    "pass": 0,
    "fail": 0,
    "unproven": 0,
    "error": 1
  },
  "skipped": [
    {
      "target": "flows.ipynb:Net",
      "why": "it is no flow layer"
    }
  ],
  "results": [
    {
      "target": "flows.ipynb:Coupling",
      "layer": null,
      "status": "error",
      "convention": null,
      "kind": null,
      "inferred": {},
      "seconds": 0.0,
      "checks": [],
      "sublayers": [],
      "ledger": [],
      "not_done": [],
      "readings": [],
      "findings": [
        {
          "code": "LDJ003",
          "name": "needs-arguments",
          "severity": "error",
          "message": "Coupling cannot be built: it needs network and mask.",
          "direction": null,
          "evidence": [
            "Coupling(network, mask)            cell 27, line 3",
            "",
            "Write the call as you would in the notebook:",
            "  ldjcheck 'flows.ipynb:Coupling(Net(4), mask(4))'"
          ],
          "also_fits": [],
          "law": null,
          "bits_per_dim": null,
          "location": null,
          "fix": null
        }
      ],
      "ignored": [],
      "derived": null
    }
  ]
}
"""


def test_the_document_word_for_word() -> None:
    skipped = Skipped(target="flows.ipynb:Net", why="it is no flow layer")
    python = ".".join(map(str, sys.version_info[:3]))
    expected = GOLDEN % (ldjcheck.__version__, version("torch"), python)

    assert render(run(ERROR, skipped=(skipped,), exit_code=2), PLAIN) == expected


def test_a_full_result_word_for_word() -> None:
    finding = dataclasses.replace(DIMS_FACTOR, evidence=())
    check = dataclasses.replace(FAILED, samples=FAILED.samples[:1])
    result = dataclasses.replace(
        FAIL,
        checks=(check,),
        sublayers=(SUBLAYER,),
        ledger=FAIL.ledger[:1],
        findings=(finding,),
    )

    assert document(run(result))["results"] == [
        {
            "target": "deq.py:Dequantization",
            "layer": "Dequantization()",
            "status": "fail",
            "convention": "accumulator",
            "kind": "dequantization",
            "inferred": {
                "convention": "accumulator: the parameter 'ldj' takes a running total",
                "shape": "(1, 4, 4), the usual image",
            },
            "seconds": 0.4,
            "checks": [
                {
                    "name": "ldj",
                    "direction": "forward",
                    "status": "fail",
                    "wrt": "noise",
                    "shape": [1, 4, 4],
                    "dims": 16,
                    "dtype": "float64",
                    "tolerance": 3e-12,
                    "worst": 83.1777,
                    "method": "reverse",
                    "samples": [
                        {
                            "index": 0,
                            "reported": 27.8315,
                            "exact": -55.3462,
                            "difference": 27.8315 + 55.3462,
                            "allowed": 3e-12,
                        }
                    ],
                    "dimensions": [],
                    "structure": None,
                    "products": None,
                    "smallest_failing": None,
                }
            ],
            "sublayers": [
                {
                    "direction": "forward",
                    "sublayer": "layers[1]",
                    "type": "Scale",
                    "exact": -5.5,
                    "reported": 2.0,
                    "is_wrong": True,
                }
            ],
            "ledger": [
                {
                    "direction": "forward",
                    "file": "deq.py",
                    "line": 39,
                    "function": "dequant",
                    "text": "z = z + torch.rand_like(z)",
                    "exact": 0.0,
                    "reported": None,
                    "exact_total": -55.3462,
                    "reported_total": 27.8315,
                    "cell": None,
                }
            ],
            "not_done": [],
            "readings": [],
            "findings": [
                {
                    "code": "LDJ101",
                    "name": "missing-dims-factor",
                    "severity": "error",
                    "message": "The log-determinant counts log(quants) once, not once "
                    "per dimension.",
                    "direction": "forward",
                    "evidence": [],
                    "also_fits": ["LDJ105"],
                    "law": {
                        "expression": "(dims - 1) * log(self.quants)",
                        "points": [
                            {"dims": 1, "difference": 0.0},
                            {"dims": 4, "difference": 16.6355},
                            {"dims": 9, "difference": 44.3614},
                            {"dims": 16, "difference": 83.1777},
                        ],
                    },
                    "bits_per_dim": 7.9898,
                    "location": {
                        "file": "deq.py",
                        "line": 41,
                        "column": 9,
                        "function": "dequant",
                        "text": "        ldj -= np.log(self.quants)",
                        "cell": None,
                    },
                    "fix": {
                        "applicability": "verified",
                        "residual_after": 2e-15,
                        "edits": [
                            {
                                "file": "deq.py",
                                "line": 41,
                                "before": "        ldj -= np.log(self.quants)",
                                "after": "        ldj -= np.log(self.quants) * "
                                "np.prod(z.shape[1:])",
                                "cell": None,
                            }
                        ],
                    },
                }
            ],
            "ignored": [],
            "derived": None,
        }
    ]


def test_nan_and_infinities_are_words() -> None:
    pairs = samples((math.nan, 1.0), (math.inf, 1.0), (-math.inf, 1.0))
    check = dataclasses.replace(FAILED, samples=pairs, tolerance=math.inf)
    found = only(render(run(dataclasses.replace(FAIL, checks=(check,))), PLAIN))

    assert [s["reported"] for s in found["results"][0]["checks"][0]["samples"]] == [
        "nan",
        "inf",
        "-inf",
    ]
    assert found["results"][0]["checks"][0]["tolerance"] == "inf"


def test_floats_keep_every_digit() -> None:
    check = dataclasses.replace(FAILED, samples=samples((0.1 + 0.2, 5e-324)))
    text = render(run(dataclasses.replace(FAIL, checks=(check,))), PLAIN)

    assert '"reported": 0.30000000000000004,' in text
    assert '"exact": 5e-324,' in text


def test_the_summary_counts_each_status() -> None:
    assert document(run(FAIL, PASS, PASS, UNPROVEN, ERROR))["summary"] == {
        "layers": 5,
        "pass": 2,
        "fail": 1,
        "unproven": 1,
        "error": 1,
    }


def test_the_document_is_ascii_so_that_every_pipe_takes_it() -> None:
    odd = dataclasses.replace(ERROR, target="fl\u00fcsse/\ud800.py")
    text = render(run(odd), PLAIN)

    assert text.isascii()
    assert only(text)["results"][0]["target"] == odd.target


# --- the schema ------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(run=RUN)
def test_every_run_gives_a_valid_document(run: Run) -> None:
    text = render(run, PLAIN)
    found = only(text)

    VALIDATOR.validate(found)
    assert found == document(run)
    assert render(run, Style(color=True, verbosity=1, width=40)) == text


@pytest.mark.parametrize(
    "result", [FAIL, PASS, UNPROVEN, ERROR], ids=lambda result: result.status
)
def test_every_status_gives_a_valid_document(result: records.Result) -> None:
    VALIDATOR.validate(document(run(result)))


@pytest.mark.parametrize(("name", "record"), RECORDS.items(), ids=RECORDS)
def test_the_schema_has_exactly_the_fields_of_the_record(
    name: str, record: type
) -> None:
    fields = {
        f.name for f in dataclasses.fields(record) if f.metadata.get("json", True)
    }
    assert set(SCHEMA["$defs"][name]["properties"]) == fields


def test_the_fields_of_the_run_are_spread_over_the_document() -> None:
    fields = {field.name for field in dataclasses.fields(Run)}
    outer = set(SCHEMA["properties"]) - {"schema", "tool", "run", "summary"}
    assert set(SCHEMA["$defs"]["run"]["properties"]) | outer == fields


def test_no_record_of_the_document_is_unknown_to_these_tests() -> None:
    objects = {
        name for name, each in SCHEMA["$defs"].items() if each.get("type") == "object"
    }
    assert objects - {"tool", "run", "summary"} == set(RECORDS)


def objects() -> list[tuple[str, dict[str, Any]]]:
    named = [("document", SCHEMA), *SCHEMA["$defs"].items()]
    return [(name, each) for name, each in named if each.get("type") == "object"]


@pytest.mark.parametrize(("name", "schema"), objects(), ids=dict(objects()))
def test_every_object_is_closed_complete_and_described(
    name: str, schema: dict[str, Any]
) -> None:
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])
    assert schema["description"]
    for field, each in schema["properties"].items():
        target = each.get("$ref", "").removeprefix("#/$defs/")
        described = each.get("description") or SCHEMA["$defs"][target]["description"]
        assert described.endswith("."), field


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("result", "status"), records.Status),
        (("result", "kind"), records.Kind),
        (("check", "name"), words.CheckName),
        (("check", "status"), words.CheckStatus),
        (("check", "wrt"), records.Wrt),
        (("check", "method"), words.Method),
        (("check", "structure"), records.Structure),
        (("finding", "severity"), records.Severity),
        (("ledgerLine", "direction"), records.Direction),
        (("assumption", "basis"), of_results.Basis),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_the_schema_knows_every_word_of_the_records(
    place: tuple[str, str], words: object
) -> None:
    name, field = place
    enum = SCHEMA["$defs"][name]["properties"][field]["enum"]
    assert [word for word in enum if word is not None] == list(get_args(words))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "ldjcheck-result-0"),
        (("extra",), 1),
        (("summary", "layers"), -1),
        (("run", "exit_code"), 5),
        (("results", 0, "status"), "ok"),
        (("results", 0, "checks", 0, "worst"), "NaN"),
        (("results", 0, "checks", 0, "samples", 0, "exact"), None),
        (("results", 0, "findings", 0, "code"), "LDJ1"),
        (("results", 0, "findings", 0, "location", "line"), "41"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_the_schema_refuses_what_is_wrong(
    path: tuple[str | int, ...], value: object
) -> None:
    found = only(render(run(FAIL), PLAIN))
    holder = found
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value

    assert not VALIDATOR.is_valid(found)


def test_the_schema_misses_no_key() -> None:
    found = only(render(run(FAIL), PLAIN))
    del found["results"][0]["findings"][0]["law"]

    assert not VALIDATOR.is_valid(found)


def test_a_document_read_is_the_run_that_was_written() -> None:
    written = run(FAIL)
    assert read_run(document(written)) == written


@settings(max_examples=15, deadline=None)
@given(RUN)
def test_what_was_read_is_written_as_it_was(drawn: Run) -> None:
    told = document(drawn)
    assert document(read_run(told)) == told
