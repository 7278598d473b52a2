"""`ldjcheck grade SUBMISSIONS... --rubric FILE`: a class's submissions, graded."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ldjcheck.grading.confined.confinement import Warden
    from ldjcheck.grading.course import Executor
    from ldjcheck.grading.feedback import Form, Overview
    from ldjcheck.grading.rubric import Rubric
    from ldjcheck.grading.store import Store
    from ldjcheck.grading.submissions import Submission


@click.command("grade", short_help="Grade a class's submissions, each confined.")
@click.argument(
    "submissions",
    nargs=-1,
    required=True,
    metavar="SUBMISSIONS...",
    type=click.Path(path_type=Path),
)
@click.option(
    "--rubric",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Which layers are asked for, and what they are worth: a TOML file.",
)
@click.option(
    "--out",
    default="grades",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where results go, and what is needed to resume.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME[=FILE]",
    help="csv, json, html, feedback, pages, gradescope, nbgrader or otter. Repeatable; "
    "the first four by default.",
)
@click.option(
    "-j",
    "count",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Submissions side by side; the cores by default.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="WHERE",
    help="local, or dask:ADDRESS for the workers of a Dask scheduler.",
)
@click.option("--again", is_flag=True, help="Grade again what is graded already.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no summary.")
@click.pass_context
def grade(ctx: click.Context, /, submissions: tuple[Path, ...], **given: Any) -> None:
    """Grade the submissions of a class.

    SUBMISSIONS are files, notebooks, folders or archives; a folder that does not hold the
    graded file itself holds submissions. Each layer runs in a process of its own, with
    limits on time, memory and output and without network, on a copy, and is judged from
    outside. What is graded already is not done again, so that an interrupted run goes on.

    The exit status is 0 when all are graded, 3 when some wait for the teacher, and 2 when
    the rubric, its reference or the cluster cannot be used.
    """
    from ldjcheck.grading.course import NoClusterError
    from ldjcheck.grading.rubric import RubricError, read_rubric
    from ldjcheck.grading.store import Store
    from ldjcheck.grading.submissions import collect

    try:
        rubric = read_rubric(given["rubric"])
        found = collect(submissions, rubric.file)
    except RubricError as error:
        raise click.UsageError(str(error)) from None
    except FileNotFoundError as error:
        raise click.UsageError(f"There is no {error}.") from None
    if not found:
        raise click.UsageError("There is no submission in what you named.")
    forms = _forms(given["formats"], given["out"], len(found))
    store = Store(given["out"], again=given["again"])
    before = store.points()
    try:
        graded = _graded(found, rubric, given, store)
    except (NoClusterError, RubricError) as error:
        raise click.UsageError(str(error)) from None
    points = {each.submission: each.points for each in graded.grades.grades}
    store.keep_points(points)
    for form, place in forms:
        _write(form.render(graded), form, place)
    if not given["quiet"]:
        click.echo(_summary(graded, given["out"], _changes(before, points)))
    ctx.exit(3 if any(each.review for each in graded.grades.grades) else 0)


def _graded(
    found: Sequence[Submission], rubric: Rubric, given: Mapping[str, Any], store: Store
) -> Overview:
    from ldjcheck.grading.confined.confinement import Warden
    from ldjcheck.grading.course import mark_class, prepared
    from ldjcheck.grading.feedback import overview

    with Warden() as warden:
        executor = _executor(given["executor"], given["count"], warden)
        enforced = executor.enforced(rubric.limits)
        if not given["quiet"]:
            click.echo(enforced.sentence(), err=True)
        ready, models = prepared(rubric, warden)
        with _progress(len(found), quiet=given["quiet"]) as bar:
            marked = mark_class(
                found,
                ready,
                models,
                executor=executor,
                store=store,
                tell=lambda each: bar.update(1, each.submission),
            )
    return overview(marked, ready, enforced)


def _progress(length: int, *, quiet: bool) -> Any:
    bar: Any = click.progressbar(
        length=length,
        label="Grading",
        file=io.StringIO() if quiet else sys.stderr,
        show_pos=True,
        item_show_func=lambda name: str(name or "")[:30],
    )
    return bar


def _executor(where: str, count: int | None, warden: Warden) -> Executor:
    from ldjcheck.grading.course import Cluster, SideBySide
    from ldjcheck.session.targets import cores

    kind, _, address = where.partition(":")
    if kind == "dask" and address:
        return Cluster(address)
    if where != "local":
        raise click.UsageError(
            f"{where!r} is no executor: write local, or dask:ADDRESS as in "
            "dask:tcp://10.0.0.1:8786"
        )
    return SideBySide(count or cores(), warden)


# --- results ------------------------------------------------------------------------------


def _forms(
    typed: Sequence[str], out: Path, submissions: int
) -> list[tuple[Form, Path]]:
    """Return the forms that are asked for, each with its file or folder."""
    from ldjcheck.grading.formats import FORMS, USUAL

    known = {form.name: form for form in FORMS}
    found = []
    for text in typed or USUAL:
        name, equals, file = text.partition("=")
        if name not in known:
            raise click.UsageError(
                f"{name!r} is no form of results; known are {', '.join(known)}."
            )
        form = known[name]
        place = Path(file) if equals and file else out / form.file
        if equals and file and form.suffix and submissions > 1:
            place.mkdir(parents=True, exist_ok=True)
        found.append((form, place))
    return found


def _write(texts: Mapping[str, str], form: Form, place: Path) -> None:
    """Write one file, or a file for each submission; of one alone, to where it is named."""
    from ldjcheck.grading.store import file_name, write_text

    alone = form.suffix and len(texts) == 1 and place.suffix == form.suffix
    for name, text in texts.items():
        if form.suffix and not alone:
            write_text(place / f"{file_name(name)}{form.suffix}", text)
        else:
            write_text(place, text)


def _changes(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return whose points are others than when the class was graded last."""
    from ldjcheck.grading.feedback import number

    return [
        f"Points of {name}: {number(before[name])} before, {number(points)} now."
        for name, points in now.items()
        if before.get(name, points) != points
    ]


def _summary(graded: Overview, out: Path, changes: Sequence[str]) -> str:
    from ldjcheck.grading.feedback import number

    grades = graded.grades.grades
    mean = sum(each.points for each in grades) / len(grades)
    count = f"{len(grades)} submission{'s' * (len(grades) > 1)}"
    lines = [
        f"{count} graded, {number(round(mean, 2))} of {number(graded.rubric.points)} "
        "points on average."
    ]
    for common in graded.common[:5]:
        lines.append(
            f"  {len(common.submissions):4} made {common.code} {common.name}: "
            f"{common.summary}"
        )
    for fault in graded.grades.faults:
        lines.append(f"The handout is wrong in {fault.exercise}: {fault.what}")
    for name in graded.grades.asked_in_vain:
        lines.append(f"Nobody handed in {name}: is it spelled so in the handout?")
    lines += changes
    waiting = [each.submission for each in grades if each.review]
    if waiting:
        names = ", ".join(waiting[:5]) + ", ..." * (len(waiting) > 5)
        lines.append(f"For you to look at: {names}")
    lines.append(f"Results are in {out}{os.sep}.")
    return "\n".join(lines)
