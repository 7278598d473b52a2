"""The pages test themselves: whatever one shows is run, and does what the page says."""

from __future__ import annotations

import linecache
import os
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from command import ldjcheck_in

import ldjcheck
from ldjcheck.cli import main
from ldjcheck.cli.commands.explain import page_of
from ldjcheck.mistakes import RULES, Rule, rule_for, sections

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = [rule for rule in RULES if rule.page.wrong]
COMMANDS = [rule for rule in RULES if rule.page.example]
BY_NAME = {"ids": lambda rule: rule.name}

SHOWN_IN_CODE = {
    "The rule", "How it shows", "Wrong", "Right", "Try it", "What it costs"
}  # fmt: skip
SHOWN_IN_A_COMMAND = {"For example", "You see", "What to do"}
STATUS_OF = {"pass": ("warning", "note"), "fail": ("error",), "unproven": ("unproven",)}


def layer_of(source: str, name: str) -> Any:
    """Return an object of the last class that a snippet defines."""
    file = f"<the page {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {"__name__": f"page_{name.replace('-', '_')}"}
    exec(compile(source, file, "exec"), namespace)
    return namespace[re.findall(r"^class (\w+)", source, re.MULTILINE)[-1]]()


def checked(rule: Rule, source: str) -> ldjcheck.Report:
    layer = layer_of(source, rule.name)
    if rule.page.shape is None:
        return ldjcheck.check(layer)
    return ldjcheck.check(layer, shape=rule.page.shape)


# What stands on a page


@pytest.mark.parametrize("rule", RULES, **BY_NAME)
def test_a_page_has_all_its_headings(rule: Rule) -> None:
    headings = {section.heading for section in sections(rule.page)}
    if rule.code.startswith("LDJ0"):
        assert headings == SHOWN_IN_A_COMMAND
    elif rule in COMMANDS:
        assert headings >= {*SHOWN_IN_A_COMMAND, "The rule", "How it shows"}
    else:
        assert headings == SHOWN_IN_CODE
    assert rule.page.what
    assert len(rule.page.confused) >= 2


def test_every_rule_shows_layers_or_a_command() -> None:
    assert {*LAYERS, *COMMANDS} == set(RULES)
    assert not {*LAYERS} & {*COMMANDS}


@pytest.mark.parametrize("rule", RULES, **BY_NAME)
def test_what_it_is_confused_with_are_other_rules(rule: Rule) -> None:
    codes = [code for code, _ in rule.page.confused]
    assert all(rule_for(code) is not None for code in codes)
    assert len({*codes, rule.code}) == len(codes) + 1


@pytest.mark.parametrize("rule", LAYERS, **BY_NAME)
def test_a_snippet_is_short_and_complete(rule: Rule) -> None:
    for source in (rule.page.wrong, rule.page.right):
        assert 8 <= len(source.splitlines()) <= 24
        assert "import" in source
    assert rule.page.wrong != rule.page.right


# What a page shows, run


@pytest.mark.thinned(20)
@pytest.mark.parametrize("rule", LAYERS, **BY_NAME)
def test_the_wrong_layer_gets_this_finding_first_at_the_cost_that_is_stated(
    rule: Rule,
) -> None:
    report = checked(rule, rule.page.wrong)
    assert [f.code for f in report.findings][:1] == [rule.code], str(report)
    assert report.findings[0].severity == rule.severity
    assert rule.severity in STATUS_OF[report.status]
    if rule.page.bits is not None:
        cost = report.findings[0].bits_per_dim
        assert cost is not None
        assert abs(cost) == pytest.approx(rule.page.bits, rel=5e-3)
        assert f" by {rule.page.bits:.3g} " in " ".join(page_of(rule).split())


@pytest.mark.thinned(4)
@pytest.mark.parametrize("rule", LAYERS, **BY_NAME)
def test_the_right_layer_passes(rule: Rule) -> None:
    report = checked(rule, rule.page.right)
    told_apart = {code for code, _ in rule.page.confused}
    found = [
        f for f in report.findings if f.severity != "note" or f.code not in told_apart
    ]
    assert (report.status, found) == ("pass", []), str(report)


@pytest.mark.slow
def test_the_ldj_of_a_constant_costs_what_the_formula_says() -> None:
    """The formulas of two pages at sizes that the pages do not use."""
    dims = rule_for("missing-dims-factor")
    one = rule_for("one-for-zero")
    assert dims is not None
    assert one is not None
    for size in (2, 3, 5):
        small = replace(dims, page=replace(dims.page, shape=(1, size, size)))
        cost = checked(small, small.page.wrong).findings[0].bits_per_dim
        assert cost == pytest.approx((1 - 1 / size**2) * 8)
        flat = replace(one, page=replace(one.page, shape=(size,)))
        cost = checked(flat, flat.page.wrong).findings[0].bits_per_dim
        assert cost == pytest.approx(1.4426950408889634 / size)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("rule", COMMANDS, **BY_NAME)
def test_a_command_prints_the_lines_that_a_page_shows(
    rule: Rule, tmp_path: Path
) -> None:
    example = rule.page.example
    assert example is not None
    (tmp_path / "flow.py").write_text(f"# flow.py\n{example.source}\n")
    arguments = shlex.split(example.command)
    assert arguments[0] == "ldjcheck"

    plain = {**os.environ, "NO_COLOR": "1"}
    printed = ldjcheck_in(tmp_path, *arguments[1:], env=plain).stdout

    beside = rule.severity == "note"  # then the finding that it explains comes first
    assert rule.code in (printed if beside else printed.splitlines()[0])
    rest = iter(line.strip() for line in printed.splitlines())
    for line in example.prints.splitlines():
        if line != "...":
            assert any(own.startswith(line.strip()) for own in rest), (line, printed)


# `ldjcheck explain`


@pytest.mark.parametrize("rule", RULES, **BY_NAME)
def test_explain_fits_eighty_columns_under_the_right_headings(rule: Rule) -> None:
    by_code = CliRunner().invoke(main, ["explain", rule.code])
    by_name = CliRunner().invoke(main, ["explain", rule.name])
    lines = by_code.output.splitlines()

    assert by_code.exit_code == 0
    assert by_code.output == by_name.output
    assert [line for line in lines if len(line) > 80] == []
    assert lines[0].split()[:2] == [rule.code, rule.name]
    headings = [s.heading.upper() for s in sections(rule.page)]
    shown = [line for line in lines if line.isupper() and line[0] != " "]
    assert shown == [*headings, "EASILY CONFUSED WITH"]
    assert by_code.output.endswith("\n")


def test_explain_says_all_that_a_page_says() -> None:
    rule = rule_for("LDJ101")
    assert rule is not None
    shown = " ".join(page_of(rule).split())
    for section in sections(rule.page):
        assert " ".join(section.body.split()) in shown
    for code, difference in rule.page.confused:
        assert code in shown
        assert difference in shown


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sign-fliped", "sign-flipped"),
        ("missing_dim_factor", "missing-dims-factor"),
        ("LDJ1O4", "LDJ104"),
        ("mean", "mean-not-sum"),
        ("zzz", "`ldjcheck codes` lists all"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(typed: str, offered: str) -> None:
    result = CliRunner().invoke(main, ["explain", typed])
    assert result.exit_code == 2
    assert offered in result.stderr
    assert result.stdout == ""


def test_the_list_of_codes_fits_eighty_columns() -> None:
    lines = CliRunner().invoke(main, ["codes"]).output.splitlines()
    assert len(lines) == len(RULES)
    assert [line for line in lines if len(line) > 80] == []
