"""`ldjcheck demo [CODE|NAME]`: a planted mistake, run live and narrated."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldjcheck.cli.commands.explain import unknown_mistake

if TYPE_CHECKING:
    from ldjcheck.mistakes import Rule

_WIDTH = 80
_FILE = "flow.py"  # what a layer stands in, as it is told
_PATIENCE = 60  # seconds for a command that is run for show


@click.command("demo", short_help="Show a mistake happen, live, on a small input.")
@click.argument("mistake", required=False, metavar="[CODE|NAME]")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the layer to FILE, and the right one beside it, FILE_twin, to hand out.",
)
def demo(mistake: str | None, file: Path | None) -> None:
    """Show a mistake happen: a small layer that makes it, run live and narrated.

    CODE|NAME is a code such as LDJ101 or a name such as sign-flipped. Without one, all
    lessons are listed, in the order in which they are best taught. `derive` in its place
    shows how the ldj of a dequantization is derived.
    """
    from ldjcheck.mistakes import rule_for

    if file is not None and mistake in (None, "derive"):
        raise click.UsageError("Name the mistake whose layer is to be written.")
    if mistake is None:
        click.echo(listing())
        return
    if mistake == "derive":
        click.echo(derivation())
        return
    rule = rule_for(mistake)
    if rule is None:
        raise click.UsageError(unknown_mistake(mistake))
    if file is None:
        click.echo(lesson(rule))
        return
    try:
        click.echo(written(rule, file))
    except OSError as error:
        raise click.UsageError(f"Cannot write the layer: {error}") from None


def listing() -> str:
    """Return all lessons by topic, one line each."""
    from ldjcheck.classroom.lessons import TOPICS
    from ldjcheck.mistakes import rule_for
    from ldjcheck.report.blocks.layout import shorten

    blocks = []
    for topic in TOPICS:
        rules = [rule_for(lesson.code) for lesson in topic.lessons]
        lines = [topic.title]
        for rule in rules:
            if rule is not None:
                line = f"  {rule.code}  {rule.name:24}  {rule.summary}"
                lines.append(shorten(line, _WIDTH))
        blocks.append("\n".join(lines))
    blocks.append(
        "See one: ldjcheck demo LDJ101, or: ldjcheck demo missing-dims-factor"
    )
    return "\n\n".join(blocks)


def lesson(rule: Rule) -> str:
    """Return the lesson on a mistake: its layer run live, or its command."""
    from ldjcheck.classroom.lessons import lesson_on

    known = lesson_on(rule.code)
    if known is None or not known.animal:
        return _command(rule)
    from ldjcheck.classroom.demo import narrate
    from ldjcheck.classroom.zoo import animal_called

    return narrate(rule, known, animal_called(known.animal))


def written(rule: Rule, file: Path) -> str:
    """Write a lesson's layer, and the right one where there is one; return what to type."""
    from ldjcheck.classroom.lessons import lesson_on
    from ldjcheck.mistakes import shown_by

    known = lesson_on(rule.code)
    if known is not None and known.animal:
        from ldjcheck.classroom.demo import command_for, files_of
        from ldjcheck.classroom.zoo import animal_called

        animal = animal_called(known.animal)
        texts = list(files_of(animal).values())
        command = command_for(animal, known.shape, file.name)
    else:
        source, command = shown_by(rule.page)
        texts = [_text(source, file.name)]
        if rule.page.example is None:
            texts.append(_text(rule.page.right, file.name))
        command = command.replace(_FILE, file.name)
    twin = file.with_name(f"{file.stem}_twin{file.suffix}")
    places = [file, twin][: len(texts)]
    for place, text in zip(places, texts, strict=True):
        place.write_text(text, encoding="utf-8")
    lines = [
        f"Wrote {file}" + (f", and {twin} without the mistake." if texts[1:] else ".")
    ]
    return "\n".join([*lines, f"Check it: {command}"])


def derivation() -> str:
    """Return the lesson on deriving: a map without an ldj, what `derive` says, and why."""
    from ldjcheck.classroom.lessons import COMMAND, SOURCE, WHY
    from ldjcheck.report.blocks.layout import wrap

    left, right = "derive  the ldj of a map, step by step", "demo"
    lines = [left + right.rjust(_WIDTH - len(left)), ""]
    lines += [f"    {line}".rstrip() for line in _text(SOURCE).splitlines()]
    lines += ["", f"$ {COMMAND}", *_run(SOURCE, COMMAND), "", "  Why"]
    for paragraph in WHY:
        lines += [*wrap(paragraph, _WIDTH, "    ", "    "), ""]
    lines.append("  Yours:   ldjcheck derive FILE:LAYER, with --fix to write it")
    return "\n".join(line.rstrip() for line in lines)


def _command(rule: Rule) -> str:
    """Return what a rule's command prints, run in a folder with its file."""
    from ldjcheck.classroom.lessons import read_on, title
    from ldjcheck.mistakes import shown_by

    source, command = shown_by(rule.page)
    lines = [title(rule), ""]
    lines += [f"    {line}".rstrip() for line in _text(source).splitlines()]
    lines += ["", f"$ {command}", *_run(source, command), "", *read_on(rule)]
    return "\n".join(line.rstrip() for line in lines)


def _run(source: str, command: str) -> list[str]:
    import subprocess  # the help page does not wait for these
    import tempfile

    words = shlex.split(command)
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "NO_COLOR": "1",
        "COLUMNS": str(_WIDTH),
    }
    with tempfile.TemporaryDirectory(prefix="ldjcheck-demo-") as folder:
        Path(folder, _FILE).write_text(_text(source), encoding="utf-8")
        printed = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        ).stdout
    return printed.rstrip().splitlines()


def _text(source: str, file: str = _FILE) -> str:
    """Return a file that says its own name, as the pages show it."""
    return f"# {file}\n{source}\n"
