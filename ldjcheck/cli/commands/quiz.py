"""`ldjcheck quiz [TOPIC]`: find the mistake yourself."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ldjcheck.classroom.quiz import Question

_WIDTH = 80
_WORDS = "h for a hint, s to see the answer, q to stop"


@click.command("quiz", short_help="Find the mistake yourself; answers are run.")
@click.argument("topic", required=False, metavar="[TOPIC]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Which questions: the same number gives the same ones. Drawn by default.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="How many questions.",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a sheet, .md, .ipynb or .pdf, and beside it its key, FILE-key.",
)
def quiz(topic: str | None, seed: int | None, count: int, export: Path | None) -> None:
    """Show layers, right and wrong, and ask what is wrong with them.

    TOPIC is a word of a lesson's title such as signs, or a code or name such as
    sign-flipped; `ldjcheck demo` lists them. What you write in the place of a line is run.
    """
    from ldjcheck.classroom.lessons import codes_about

    seed = secrets.randbelow(10_000) if seed is None else seed
    try:
        codes_about(topic)  # a slip is told before torch is loaded
        from ldjcheck.classroom.quiz_drawing import draw

        drawn = draw(topic, seed, count)
        if export is not None:
            _export(list(drawn), export, seed, topic)
            return
        right = possible = 0
        for number, question in enumerate(drawn, 1):
            click.echo(f"Quiz {seed}, question {number} of {count}\n")
            game = _Game(question)
            goes_on = game.play()
            right, possible = right + game.right, possible + game.possible
            if not goes_on:
                break
            click.echo("")
        again = " ".join(filter(None, ("ldjcheck quiz", topic, f"--seed {seed}")))
        click.echo(f"You found {right} of {possible}. Once more: {again}")
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _export(
    questions: list[Question], path: Path, seed: int, topic: str | None
) -> None:
    from ldjcheck.classroom.quiz import NoSheetError, write_sheet

    try:
        key = write_sheet(questions, path, seed=seed, topic=topic)
    except NoSheetError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"Cannot write the sheet: {error}") from None
    click.echo(f"Wrote {path}, and its key {key}.")


class _Game:
    """One question on the screen: what is asked, answered and told."""

    def __init__(self, question: Question) -> None:
        from ldjcheck.classroom.quiz import hints

        self._question = question
        self._hints = list(hints(question))
        self.right = self.possible = 0

    def play(self) -> bool:
        """Ask until all is known; return whether to go on with the next."""
        from ldjcheck.classroom.quiz import on_edit, on_line, on_verdict

        question = self._question
        for number, row in enumerate(question.text.rstrip().splitlines(), 1):
            click.echo(f"{number:3} {row}".rstrip())
        click.echo(f"\nOne sample has the shape {question.shape}. ({_WORDS})\n")
        word = self._asked("Is its log-determinant right or wrong?", "rw")
        if word is None:
            return self._show_answer(goes_on=False)
        if word == "s":
            self.possible += 1
            return self._show_answer()
        answer = on_verdict(question, word)
        self._count(answer.is_right, answer.said)
        if not question.is_wrong:
            return self._show_answer()
        typed = self._asked("In which line?", "0123456789")
        if typed is None:
            return self._show_answer(goes_on=False)
        line = min(question.lines)
        if typed.isdigit():
            answer = on_line(question, int(typed))
            self._count(answer.is_right, answer.said)
            line = int(typed) if answer.is_right else line
        click.echo(f"  {question.text.splitlines()[line - 1].strip()}")
        text = self._asked("What should stand there?", "")
        if text is None:
            return self._show_answer(goes_on=False)
        if text != "s":
            answer = on_edit(question, line, text)
            self._count(answer.is_right, answer.said)
        return self._show_answer()

    def _asked(self, text: str, beginnings: str) -> str | None:
        """Return what was typed; "s" to see the answer, None to stop."""
        while True:
            try:
                typed = click.prompt(text, prompt_suffix=" ").strip()
            except (click.Abort, EOFError):
                click.echo("")
                return None
            word = typed.lower()
            if word in ("q", "quit"):
                return None
            if word in ("s", "see"):
                return "s"
            if word in ("h", "hint"):
                said = self._hints.pop(0) if self._hints else "There is no more to say."
                click.echo(_wrapped(said))
            elif typed and (not beginnings or word[0] in beginnings):
                return str(typed)
            else:
                wanted = "r, w" if beginnings == "rw" else "a number"
                click.echo(f"  Type {wanted}, h, s or q.")

    def _count(self, is_right: bool, said: str) -> None:
        self.right, self.possible = self.right + is_right, self.possible + 1
        click.echo(_wrapped(said))

    def _show_answer(self, *, goes_on: bool = True) -> bool:
        """Tell the answer, and where to read on."""
        question = self._question
        click.echo("")
        told = f"It is right. A slip that would fit in here: {question.name}."
        if question.is_wrong:
            told = f"{question.code} {question.name}. {question.message}"
        click.echo(_wrapped(told))
        for sign, line in question.edits if question.is_wrong else ():
            click.echo(f"    {sign} {line.strip()}"[:_WIDTH])
        click.echo(f"  See it happen: ldjcheck demo {question.name}")
        click.echo(f"  Read:          ldjcheck explain {question.name}")
        return goes_on


def _wrapped(text: str) -> str:
    from ldjcheck.report.blocks.layout import wrap

    return "\n".join(wrap(text, _WIDTH, "  ", "  "))
