"""`ldjcheck explain CODE|NAME`, a page about a mistake or a symptom; `ldjcheck codes`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from difflib import get_close_matches
from importlib.resources import files
from textwrap import TextWrapper, indent
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ldjcheck.classroom.symptoms import Symptom
    from ldjcheck.mistakes import Rule

_WIDTH = 80
_HARD_SPACE = "\N{NO-BREAK SPACE}"


@click.command(
    "explain", short_help="Explain a mistake, or what a symptom may come from."
)
@click.argument("mistake", required=False, metavar="[CODE|NAME|WORD]")
@click.option(
    "--symptom",
    metavar="TEXT",
    help="What you see, in your own words: the mistakes that show so, likeliest first.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the page is written.",
)
def explain(mistake: str | None, symptom: str | None, form: str) -> None:
    """Explain one mistake: the rule it breaks, how it shows, wrong and right code.

    CODE|NAME is a code such as LDJ101 or a name such as sign-flipped; `ldjcheck codes`
    lists them. WORD is one that a report uses, such as allowed or kind.
    """
    from ldjcheck.mistakes import rule_for

    if symptom is not None and mistake is None:
        click.echo(page_of_symptom(symptom))
        return
    if mistake is None or symptom is not None:
        raise click.UsageError(
            "Name a mistake, as in `ldjcheck explain sign-flipped`, or say what you see, "
            'as in `ldjcheck explain --symptom "negative bits per dimension"`.'
        )
    rule = rule_for(mistake)
    if rule is not None:
        click.echo(page_of(rule) if form == "text" else json_of(rule))
    elif meanings := meanings_of(mistake):
        plain = json.dumps({"word": mistake, "meanings": meanings}, indent=2)
        click.echo("\n\n".join(meanings) if form == "text" else plain)
    else:
        raise click.UsageError(unknown_mistake(mistake))


def json_of(rule: Rule) -> str:
    """Return a rule and its page as one JSON object."""
    page = {**asdict(rule.page), "confused": dict(rule.page.confused)}
    told = {name: getattr(rule, name) for name in ("code", "name", "severity", "topic")}
    return json.dumps({**told, "summary": rule.summary, **page}, indent=2)


def meanings_of(word: str) -> list[str]:
    """Return what a word of the reports means, each meaning under its heading."""
    text = files("ldjcheck.cli").joinpath("words.md").read_text(encoding="utf-8")
    entries = re.findall(r"^(\*\*.+)\n: ((?:.+\n)+)", text, re.MULTILINE)
    # those of sizes are others each time
    numbers = re.compile(r" \d[\d, ]*(and \d+)?")
    asked = numbers.sub("", word.strip().lower())
    named = [
        (heading, meaning)
        for heading, meaning in entries
        if asked
        in [numbers.sub("", w.lower()) for w in re.findall(r"\*\*(.+?)\*\*", heading)]
    ]
    within = re.compile(rf"\b{re.escape(asked.removesuffix('s'))}\b", re.IGNORECASE)
    emphasised = f"*{asked}*"
    named = named or [
        (h, m) for h, m in entries if asked and (within.search(h) or emphasised in m)
    ]
    return [
        f"{heading}\n{_filled(' '.join(meaning.split()), '  ')}".replace("*", "")
        for heading, meaning in named
    ]


def page_of_symptom(text: str) -> str:
    """Return which mistakes show so, likeliest first, and what to run.

    Raises:
        UsageError: nothing like it is known.
    """
    from ldjcheck.classroom.symptoms import SYMPTOMS, symptoms_for

    found = symptoms_for(text)
    if not found:
        known = "\n".join(f"  {each.title}" for each in SYMPTOMS)
        raise click.UsageError(
            f"I know nothing that shows as {text!r}. I know:\n{known}"
        )
    first, *others = found
    blocks = [first.title, _filled(first.about, "  "), *_suspects(first)]
    likeliest = _named(first.suspects[0].code)
    blocks.append(
        "WHICH IS IT?      ldjcheck your_file.py:YourLayer\n"
        f"SEE THE LIKELIEST ldjcheck demo {likeliest}\n"
        f"READ ABOUT IT     ldjcheck explain {likeliest}"
    )
    if others:
        meant = "; ".join(f'"{each.title}"' for each in others)
        blocks.append(_filled(f"Or did you mean {meant}?"))
    return "\n\n".join(blocks)


def _suspects(symptom: Symptom) -> list[str]:
    return [
        f"  {place}  {each.code}  {_named(each.code)}\n{_filled(each.why, ' ' * 13)}"
        for place, each in enumerate(symptom.suspects, 1)
    ]


def _named(code: str) -> str:
    from ldjcheck.mistakes import rule_for

    rule = rule_for(code)
    return code if rule is None else rule.name


def page_of(rule: Rule) -> str:
    """Return the page of a rule as text of at most 80 columns."""
    from ldjcheck.mistakes import sections

    left, right = f"{rule.code}  {rule.name}", f"{rule.severity} · {rule.topic}"
    blocks = [left + right.rjust(_WIDTH - len(left)), _filled(rule.page.what)]
    for section in sections(rule.page):
        is_prose = section.kind == "prose"
        body = _filled(section.body, "  ") if is_prose else indent(section.body, "  ")
        blocks.append(f"{section.heading.upper()}\n{body}")
    if rule.page.confused:
        blocks.append("EASILY CONFUSED WITH\n" + "\n".join(_confused(rule)))
    return "\n\n".join(blocks)


def _confused(rule: Rule) -> list[str]:
    from ldjcheck.mistakes import rule_for

    others = [(rule_for(code), difference) for code, difference in rule.page.confused]
    named = [(f"{r.code} {r.name}", text) for r, text in others if r is not None]
    width = max(len(name) for name, _ in named)
    margin = " " * (width + 4)
    return [_filled(text, f"  {name:{width}}  ", margin) for name, text in named]


def _filled(text: str, first: str = "", margin: str | None = None) -> str:
    """Return a text as lines that fill the page; `margin` stands before the others.

    What stands between backticks is to be typed, and is kept on one line.
    """
    rest = first if margin is None else margin
    text = re.sub("`[^`]+`", lambda code: code[0].replace(" ", _HARD_SPACE), text)
    wrapper = TextWrapper(
        _WIDTH, first, rest, break_on_hyphens=False, break_long_words=False
    )
    return wrapper.fill(text).replace(_HARD_SPACE, " ")


def unknown_mistake(mistake: str) -> str:
    """Return what to type instead: the codes and names that look like it."""
    from ldjcheck.mistakes import RULES

    words = {word.lower(): word for r in RULES for word in (r.code, r.name)}
    wanted = mistake.strip().lower().replace("_", "-")
    starts = (wanted, f"ldj{wanted}")  # a code without its letters, too
    near = [word for word in words if wanted and word.startswith(starts)][:3]
    near = near or get_close_matches(wanted, words, cutoff=0.7)
    if not near:
        # A single word of a name is what people remember.
        one = wanted.rstrip("s")
        near = [w for w in words if one and one in w.split("-")][:3]
    hint = f"Did you mean {' or '.join(words[w] for w in near)}?" if near else ""
    return f"There is no mistake {mistake!r}. {hint or '`ldjcheck codes` lists all.'}"


@click.command("codes", short_help="List every mistake that is known, one line each.")
def codes() -> None:
    """List every mistake that is known: code, name, severity, and what it is."""
    from ldjcheck.mistakes import RULES

    names = max(len(rule.name) for rule in RULES)
    severities = max(len(rule.severity) for rule in RULES)
    for rule in RULES:
        columns = f"{rule.name:{names}}  {rule.severity:{severities}}"
        click.echo(f"{rule.code}  {columns}  {rule.summary}")
