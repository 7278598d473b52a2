"""What servers read: annotations of GitHub, SARIF of code scanners, JUnit's XML."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from report_runs import DIMS_FACTOR, ERROR, FAIL, MUTATED, PASS, RUN, UNPROVEN, run

from ldjcheck.records import Location, Run
from ldjcheck.records.result import Skipped
from ldjcheck.report import Style, github, junit, sarif

PLAIN = Style(color=False, verbosity=0)
SKIPPED = Skipped(target="deq.py:Base", why="it needs `size`")
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


SCHEMAS = Path(__file__).parent / "schemas"
COMMAND = re.compile(
    r"::(error|warning|notice)"
    r"( (file|line|col|title)=[^:,]*(,(line|col|title)=[^:,]*)*)?::.*"
)
"""A workflow command of GitHub: properties without colons and commas, then the message."""
ALL = run(PASS, FAIL, UNPROVEN, ERROR, skipped=(SKIPPED,))


def back(line: int) -> Run:
    """A run in which the other direction makes the same mistake."""
    place = Location(file="deq.py", line=line)
    echo = dataclasses.replace(DIMS_FACTOR, direction="inverse", location=place)
    return run(dataclasses.replace(FAIL, findings=(DIMS_FACTOR, echo, MUTATED)))


# --- GitHub ------------------------------------------------------------------------------


def test_a_finding_is_annotated_at_its_line_with_the_edit() -> None:
    error, note, summary = github.render(back(48), PLAIN).splitlines()
    assert error == (
        "::error file=deq.py,line=41,col=9,"
        "title=LDJ101 missing-dims-factor in deq.py%3ADequantization"
        "::The log-determinant counts log(quants) once, not once per dimension."
        "%0A41 - ldj -= np.log(self.quants)"
        "%0A41 + ldj -= np.log(self.quants) * np.prod(z.shape[1:])"
    )
    assert note.startswith("::notice title=LDJ205 incoming-ldj-mutated in ")
    assert summary == "1 mistake in 1 layer (0.4 s)"


def test_a_notebook_has_a_cell_and_no_line() -> None:
    place = Location(file="flows.ipynb", cell=4, line=2)
    finding = dataclasses.replace(DIMS_FACTOR, location=place, fix=None)
    (line, _) = github.render(
        run(dataclasses.replace(FAIL, findings=(finding,))), PLAIN
    ).splitlines()
    assert line.startswith("::error file=flows.ipynb,title=")
    assert line.endswith("%0Acell 4, line 2")


def test_what_is_no_pass_fails_the_job_visibly() -> None:
    lines = github.render(run(UNPROVEN, ERROR), PLAIN).splitlines()
    assert [line.partition(" ")[0] for line in lines[:2]] == ["::error", "::error"]
    nameless = dataclasses.replace(UNPROVEN, findings=())
    assert github.render(run(nameless), PLAIN).startswith("::error::coupling.py:")


def test_each_line_is_a_command_but_the_last() -> None:
    *commands, _ = github.render(ALL, PLAIN).splitlines()
    assert all(COMMAND.fullmatch(command) for command in commands)


@pytest.mark.slow
@few
@given(run=RUN)
def test_whatever_is_said_stays_one_command_a_line(run: Run) -> None:
    for line in github.render(run, PLAIN).split("\n")[:-2]:
        assert COMMAND.fullmatch(line)
        assert line.isprintable()


# --- SARIF ------------------------------------------------------------------------------


def log(of: Run) -> dict[str, object]:
    return json.loads(sarif.render(of, PLAIN))["runs"][0]


def test_a_scanner_is_told_rule_place_and_edit() -> None:
    found = log(back(48))
    first, note = found["results"]
    assert (first["ruleId"], first["level"], note["level"]) == (
        "LDJ101",
        "error",
        "note",
    )
    rules = found["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["LDJ101", "LDJ205"]
    page = rules[0]["help"]["markdown"]
    assert "\n\n## Wrong\n\n```python\n" in page
    assert "\n\n## What it costs\n\n" in page
    assert [r["ruleIndex"] for r in found["results"]] == [0, 1]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "deq.py"
    assert place["region"]["startLine"] == 41
    assert place["region"]["startColumn"] == 9
    assert first["relatedLocations"][0]["physicalLocation"]["region"] == {
        "startLine": 48
    }


def test_the_edit_replaces_whole_lines() -> None:
    (change,) = log(run(FAIL))["results"][0]["fixes"][0]["artifactChanges"]
    (replaced,) = change["replacements"]
    assert replaced["deletedRegion"] == {
        "startLine": 41, "startColumn": 1, "endLine": 42, "endColumn": 1
    }  # fmt: skip
    after = "        ldj -= np.log(self.quants) * np.prod(z.shape[1:])\n"
    assert replaced["insertedContent"]["text"] == after


def test_mistakes_are_no_failure_of_the_scan() -> None:
    def succeeded(exit_code: int) -> bool:
        of = dataclasses.replace(run(FAIL), exit_code=exit_code)
        return log(of)["invocations"][0]["executionSuccessful"]

    assert [succeeded(code) for code in range(5)] == [True, True, False, True, False]


def against_sarif(of: Run) -> None:
    schema = json.loads((SCHEMAS / "sarif.schema.json").read_text())
    jsonschema.validate(json.loads(sarif.render(of, PLAIN)), schema)


def test_a_log_is_sarif() -> None:
    against_sarif(ALL)
    against_sarif(back(48))


@pytest.mark.slow
@few
@given(run=RUN)
def test_any_log_is_sarif(run: Run) -> None:
    against_sarif(run)


# --- JUnit ------------------------------------------------------------------------------


def test_each_layer_is_a_test_case() -> None:
    suites = Xml.fromstring(
        junit.render(run(PASS, FAIL, UNPROVEN, ERROR, skipped=(SKIPPED,)), PLAIN)
    )
    (suite,) = suites
    counted = {name: suite.get(name) for name in ("tests", "failures", "errors")}
    assert counted == {"tests": "5", "failures": "2", "errors": "1"}
    assert [[each.tag for each in case] for case in suite] == [
        [], ["failure"], ["failure"], ["error"], ["skipped"]
    ]  # fmt: skip
    case = suite[1]
    assert (case.get("classname"), case.get("name")) == ("deq.py", "Dequantization")
    assert case[0].get("message").startswith("LDJ101 The log-determinant counts")
    assert "41 +  ldj -= np.log(self.quants) * np.prod(z.shape[1:])" in case[0].text


def against_junit(of: Run) -> Xml.Element:
    xmlschema = pytest.importorskip("xmlschema")
    text = junit.render(of, PLAIN).encode("utf-8", "replace")
    xmlschema.XMLSchema(SCHEMAS / "junit.xsd").validate(text.decode())
    return Xml.fromstring(text)


def test_a_document_is_junits() -> None:
    against_junit(ALL)


@pytest.mark.slow
@few
@given(run=RUN)
def test_any_document_is_junits(run: Run) -> None:
    suites = against_junit(run)
    assert int(suites.get("tests")) == len(run.results) + len(run.skipped)


@pytest.mark.parametrize("render", [sarif.render, junit.render])
def test_colour_and_verbosity_change_nothing(render: object) -> None:
    loud = Style(color=True, verbosity=1)
    assert render(run(FAIL, PASS), loud) == render(run(FAIL, PASS), PLAIN)
