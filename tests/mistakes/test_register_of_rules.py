"""The register of rules tests itself: codes, names, files and order."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import ldjcheck.mistakes
from ldjcheck.mistakes import IN_ORDER, RULES, Rule, rule_for

FOLDER = Path(ldjcheck.mistakes.__file__).parent


def files_of_rules() -> list[str]:
    """Return the modules of the package, files or folders, that define a rule, by name."""
    found = []
    for path in FOLDER.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "RULE" for t in node.targets
            ):
                module = path.relative_to(FOLDER).with_suffix("")
                found.append(".".join(module.parts).removesuffix(".__init__"))
    return sorted(found)


def test_codes_and_names_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_rules_stand_in_the_order_of_the_catalogue() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(codes)


def test_every_file_of_a_rule_is_registered_under_its_own_name() -> None:
    assert sorted(IN_ORDER) == files_of_rules()
    for module, rule in zip(IN_ORDER, RULES, strict=True):
        assert import_module(f"ldjcheck.mistakes.{module}").RULE is rule
        assert module.rpartition(".")[2] == rule.name.replace("-", "_")


HEADINGS = (
    "The rule", "How it shows", "Wrong (-) and right (+)", "For example", "Run", "You see",
    "What to do", "What it costs", "Question", "Easily confused with",
)  # fmt: skip


@pytest.mark.parametrize(("module", "rule"), [*zip(IN_ORDER, RULES, strict=True)])
def test_a_rule_is_well_formed(module: str, rule: Rule) -> None:
    assert re.fullmatch(r"LDJ[0-5]\d\d", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.severity in ("error", "unproven", "warning", "note")
    assert rule.code[3] != "0" or rule.severity == "error"
    assert rule.summary
    assert not rule.summary.endswith(".")
    assert "\n" not in rule.summary
    docstring = import_module(f"ldjcheck.mistakes.{module}").__doc__
    assert docstring is not None
    assert docstring.startswith(f"{rule.code}: ")
    headings = re.findall(r"^(\S.*):\n(?= {4})", docstring, re.MULTILINE)
    assert headings == [each for each in HEADINGS if each in headings]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_found_by_its_code_and_by_its_name(rule: Rule) -> None:
    assert rule_for(rule.code) is rule
    assert rule_for(rule.code.lower()) is rule
    assert rule_for(rule.name) is rule
    assert rule_for(f" {rule.name.upper()} ") is rule


@pytest.mark.parametrize("word", ["", "LDJ", "LDJ999", "sign", "flipped sign"])
def test_what_is_no_rule_is_none(word: str) -> None:
    assert rule_for(word) is None


def test_a_rule_makes_findings_of_its_own_code() -> None:
    for rule in RULES:
        finding = rule.finding("It is wrong.", evidence=("a line",))
        assert (finding.code, finding.name) == (rule.code, rule.name)
        assert finding.severity == rule.severity


@pytest.mark.slow
def test_findings_are_born_among_the_mistakes_and_nowhere_else() -> None:
    """Everybody else passes on what mistakes made."""
    package = FOLDER.parent
    makers = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("finding", "Finding")
    }
    assert makers == {"mistakes"}
