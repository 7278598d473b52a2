"""What people read on one screen, word for word."""

from __future__ import annotations

import dataclasses
import re
from textwrap import dedent

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_runs import (
    CONTRACT,
    DIMS_FACTOR,
    ERROR,
    FAIL,
    MUTATED,
    PASS,
    PASSED,
    RAISED,
    RESULT,
    ROUND_TRIP,
    STRICT,
    SUGGESTED,
    TWO_MISTAKES,
    UNPROVEN,
    UNTRACKED,
    WITHOUT_SAMPLES,
    line,
    run,
)
from test_report_width import columns

from ldjcheck.records import Result, Run
from ldjcheck.records.result import Skipped
from ldjcheck.report import Style
from ldjcheck.report.blocks.layout import around_marks
from ldjcheck.report.text import render

PLAIN = Style(color=False, verbosity=0)
VERBOSE = Style(color=False, verbosity=1)
QUIET = Style(color=False, verbosity=-1)


def drawn(run: Run, style: Style = PLAIN) -> str:
    return "\n" + render(run, style)


def test_a_mistake_is_told_in_words_numbers_place_reason_fix_and_cost() -> None:
    assert drawn(run(FAIL)) == dedent("""
        deq.py:Dequantization                           FAIL  LDJ101 missing-dims-factor

          The log-determinant counts log(quants) once, not once per dimension.

          --> deq.py:41, in dequant                                      exact  reported
            40   z = z / self.quants                                    -88.72
            41 > ldj -= np.log(self.quants)                                        -5.55
            all lines of sample 0                                     -55.3462  +27.8315

          forward, sample 0 of 3: difference +83.1777, allowed 3e-12
          difference = (dims - 1) * log(self.quants), at dims 1, 4 and 16
          Largest deviation from that law: 7e-15.
          The same numbers also fit LDJ105.

          fix, run: all samples then agree to 2e-15                  write it with --fix
            41 -  ldj -= np.log(self.quants)
            41 +  ldj -= np.log(self.quants) * np.prod(z.shape[1:])

          convention accumulator, kind dequantization; ok: inverse, round trip, contract
          note LDJ205: `ldj` is changed in place; the tensor you pass is altered.

          all that was compared and inferred: -v                 ldjcheck explain LDJ101

        1 mistake in 1 layer (0.4 s)
        """)


def test_a_pass_tells_what_was_compared_and_how_close_it_came() -> None:
    assert drawn(run(PASS)) == dedent("""
        deq.py:Dequantization                                         PASS  forward only

          forward: 2 samples of (1, 4, 4), noise frozen       worst 2e-15  allowed 3e-12
          convention accumulator, kind dequantization; ok: round trip, contract; not
            available: inverse
          note LDJ205: `ldj` is changed in place; the tensor you pass is altered.

        No mistakes in 1 layer (0.4 s)
        """)


def test_an_estimate_is_called_so_and_held_against_its_own_bound() -> None:
    there = dataclasses.replace(PASSED, direction="forward", worst=2e-3, tolerance=9e-3)
    random = {**PASS.inferred, "estimator": "the ldj is random: judged by its mean"}
    result = dataclasses.replace(
        PASS, checks=(there, PASSED), inferred=random, findings=()
    )
    text = drawn(run(result))
    assert "forward: 2 samples of (1, 4, 4)  " in text
    assert "worst 2e-03  allowed 9e-03" in text
    assert "inverse: 2 samples of (1, 4, 4)  " in text
    assert "worst 2e-15  allowed 3e-12" in text
    assert "the ldj is random: judged by its mean" in text


def test_unproven_tells_what_would_have_to_be_different() -> None:
    assert drawn(run(UNPROVEN)) == dedent("""
        coupling.py:Coupling( hidden=8)                   UNPROVEN  LDJ401 vacuous-check

          As initialised this layer is the identity, so ldj = 0 is right whatever your
          formula says.

          Drop --params as-is: moved parameters are then checked.

          unproven: forward

          all that was compared and inferred: -v                 ldjcheck explain LDJ401

        1 layer: 1 unproven (0.4 s)
        """)


def test_what_could_not_be_checked_shows_its_evidence_as_it_is() -> None:
    assert drawn(run(ERROR)) == dedent("""
        flows.ipynb:Coupling                               ERROR  LDJ003 needs-arguments

          Coupling cannot be built: it needs network and mask.

          Coupling(network, mask)            cell 27, line 3

          Write the call as you would in the notebook:
            ldjcheck 'flows.ipynb:Coupling(Net(4), mask(4))'

        1 layer: 1 error (0.4 s)
        """)


def test_two_mistakes_each_stand_beside_the_numbers_of_their_direction() -> None:
    assert drawn(run(TWO_MISTAKES)) == dedent("""
        deq.py  Dequantization()                        FAIL  LDJ101 missing-dims-factor

          The log-determinant counts log(quants) once, not once per dimension.

          --> deq.py:41, in dequant
              ldj -= np.log(self.quants)

          forward, sample 0 of 3: difference +83.1777, allowed 3e-12
            exact -55.3462  reported +27.8315
          Largest deviation from that law: 7e-15.

          LDJ110 missing-term, inverse: The inverse leaves out log(1 - alpha).
          --> flows.ipynb, cell 4, line 52

          ok: round trip

          all that was compared and inferred: -v                 ldjcheck explain LDJ101

        2 mistakes in 1 layer (0.4 s)
        """)


def test_a_suggested_fix_says_that_it_was_not_run() -> None:
    assert """
  fix, a suggestion, not run
    base.py
    7 -  return y, 0

""" in drawn(run(SUGGESTED))


def test_an_inverse_ldj_that_is_not_tracked_is_called_so() -> None:
    text = drawn(run(UNTRACKED))

    assert "; ldj not tracked: inverse\n" in text.replace("\n    ", " ")
    assert (
        "\n  warning LDJ303: The inverse hands back the ldj that it is given.\n" in text
    )


def test_a_warning_made_an_error_by_strict_gives_the_code() -> None:
    text = drawn(run(STRICT))

    assert text.splitlines()[1].endswith("  FAIL  LDJ205 incoming-ldj-mutated")
    assert text.splitlines()[-1] == "1 layer: 1 fail (0.4 s)"


def test_a_failing_check_without_samples_still_shows_its_numbers() -> None:
    assert "\n  round trip: off by 0.53, allowed 1e-09\n" in drawn(run(WITHOUT_SAMPLES))


def test_quiet_is_one_line_a_layer() -> None:
    right = Skipped(target="deq.py:Net", why="it is no flow layer")
    assert drawn(run(FAIL, PASS, skipped=(right,)), QUIET) == dedent("""
        deq.py:Dequantization                           FAIL  LDJ101 missing-dims-factor
        deq.py:Dequantization                                         PASS  forward only
        """)


def test_a_long_target_keeps_its_beginning_and_its_end() -> None:
    target = "src/flows/" + "nested/" * 20 + "deq.py:Dequantization(quants=8)"
    first = drawn(run(dataclasses.replace(PASS, target=target)), QUIET).split("\n")[1]

    assert first.startswith("src/flows/nested/")
    assert "..." in first
    assert first.endswith("/deq.py:Dequantization(quants=8)   PASS  forward only")


@pytest.mark.parametrize("folders", range(0, 36, 3))
def test_of_a_long_target_no_identifier_is_cut(folders: int) -> None:
    layers = ", ".join(["Coupling(a_network(4), mask)", "ActNorm(4)"] * 3)
    source, expr = f"{'f' * folders}/flows.py", f"a_flow([{layers}]).parts[2]"
    result = dataclasses.replace(PASS, target=f"{source}:{expr}", layer=expr)
    whole, verdict = drawn(run(result)).strip().split("\n")[:2]

    assert verdict.strip() == "PASS  forward only"
    for told in (whole, drawn(run(result), QUIET).strip().split("  ")[0]):
        assert told.startswith(f"{source}:a_flow")
        shown = re.findall(r"\w+", told.removeprefix(source))
        assert set(shown) <= set(re.findall(r"\w+", expr))
    assert whole.endswith(".parts[2]")


def test_the_skipped_are_listed_with_their_reasons() -> None:
    skipped = tuple(
        Skipped(target=f"deq.py:Net{n}", why="it needs arguments") for n in range(9)
    )
    text = drawn(run(PASS, skipped=skipped))

    assert (
        "\nskipped deq.py:Net5: it needs arguments\n... 3 more targets skipped" in text
    )
    assert text.endswith("\nNo mistakes in 1 layer, 9 skipped (0.4 s)\n")
    assert "Net8" in drawn(run(skipped=skipped))  # nothing else is there to read


@pytest.mark.parametrize(
    ("results", "line"),
    [
        ((), "No layers were checked (0.4 s)"),
        ((PASS, PASS), "No mistakes in 2 layers (0.4 s)"),
        ((FAIL, FAIL), "2 mistakes in 2 layers (0.4 s)"),
        ((PASS, UNPROVEN), "2 layers: 1 pass, 1 unproven (0.4 s)"),
        ((ERROR, FAIL, PASS), "3 layers: 1 pass, 1 fail, 1 error (0.4 s)"),
    ],
)
def test_the_last_line_counts(results: tuple[Result, ...], line: str) -> None:
    assert drawn(run(*results)).splitlines()[-1] == line


def test_colour_adds_nothing_but_colour() -> None:
    everything = run(FAIL, PASS, UNPROVEN, ERROR)
    painted = render(everything, Style(color=True, verbosity=1))

    assert click.unstyle(painted) == render(everything, VERBOSE)
    assert (
        click.style("FAIL  LDJ101 missing-dims-factor", fg="red", bold=True) in painted
    )
    assert "\x1b" not in render(everything, VERBOSE)


def test_control_characters_of_a_message_do_not_reach_the_terminal() -> None:
    loud = dataclasses.replace(
        ERROR.findings[0], message="\x1b[31mred\x1b[0m\x07 and\r\nnext", evidence=()
    )
    text = drawn(run(dataclasses.replace(ERROR, findings=(loud,))))

    assert "\n  red\\x07 and next\n" in text


def test_a_long_message_is_cut_and_the_cut_is_shown() -> None:
    long = dataclasses.replace(ERROR.findings[0], message="word " * 20_000)
    text = drawn(run(dataclasses.replace(ERROR, findings=(long,))))

    assert 0 < text.count("\n  word") <= 4
    assert text.count("word...") == 1


def test_a_check_that_raised_is_no_silent_pass() -> None:
    assert "; could not be run: inverse\n" in drawn(run(RAISED))


def test_one_mistake_in_both_directions_is_told_once() -> None:
    assert DIMS_FACTOR.location is not None
    place = dataclasses.replace(DIMS_FACTOR.location, line=48)
    back = dataclasses.replace(DIMS_FACTOR, direction="inverse", location=place)
    text = drawn(run(dataclasses.replace(FAIL, findings=(DIMS_FACTOR, back))))

    assert text.count("once, not once per dimension") == 1
    assert "\n  inverse makes the same mistake, in line 48\n" in text
    assert text.endswith("\n1 mistake in 1 layer (0.4 s)\n")


def test_edits_of_each_direction_stand_together_where_the_mistake_is_one() -> None:
    assert DIMS_FACTOR.fix is not None
    (edit,) = DIMS_FACTOR.fix.edits
    other = dataclasses.replace(edit, line=48, before="ldj += 1", after="ldj += dims")
    fix = dataclasses.replace(DIMS_FACTOR.fix, edits=(other,))
    back = dataclasses.replace(DIMS_FACTOR, direction="inverse", fix=fix)
    text = drawn(run(dataclasses.replace(FAIL, findings=(DIMS_FACTOR, back))))

    assert text.count("write it with --fix") == 1
    assert "    41 -  ldj -= np.log(self.quants)\n" in text
    assert "    48 +  ldj += dims\n" in text


@pytest.mark.parametrize("before", [0, 2, 30])
@pytest.mark.parametrize("behind", [0, 2, 30])
def test_of_a_long_line_what_is_marked_is_shown(before: int, behind: int) -> None:
    line = (
        "  " + "some_name + " * before + "x @ torch.ones(5, 5)" + " + a_name" * behind
    )
    first = line.index("x @")
    marks = " " * first + "~~^~~~~~~~~~~~~~~~~~"
    shown, *below = around_marks(line, marks, 76)
    assert len(shown) <= 76
    (under,) = below
    at = under.index("~")
    assert shown[at : at + 20] == "x @ torch.ones(5, 5)"
    assert under.strip() == marks.strip()
    kept = set(re.findall(r"\w+", shown)) - {"x", "torch", "ones", "5"}
    assert kept <= {"some_name", "a_name"}
    assert around_marks(line, " " * first + "~" * 90, 76)[0] == line


def test_several_layers_begin_with_a_line_each_and_tell_one_mistake_once() -> None:
    layers = [dataclasses.replace(FAIL, target=f"deq.py:{name}") for name in "abc"]
    elsewhere = dataclasses.replace(DIMS_FACTOR, location=None)
    layers[2] = dataclasses.replace(layers[2], findings=(elsewhere,))
    first, *rest = drawn(run(*layers, PASS), PLAIN).strip().split("\n\n")
    told = [re.split(r" {2,}", line) for line in first.split("\n")]
    assert [name for name, *_ in told] == [*(f"deq.py:{n}" for n in "abc"), PASS.target]
    assert ["FAIL" in line[-1] + line[-2] for line in told] == [True] * 3 + [False]
    assert "deq.py:b: the same, line by line, as deq.py:a" in rest
    assert sum("counts log(quants) once" in block for block in rest) == 2


def test_no_path_and_no_identifier_is_cut() -> None:
    target = "examples/dequantization_mistakes.py:InverseWithoutAlpha(quants=256)"
    assert DIMS_FACTOR.location is not None
    place = dataclasses.replace(
        DIMS_FACTOR.location,
        file="examples/with/a/long/name/dequantization_mistakes.py",
        function="a_function_of_some_name",
    )
    steps = tuple(
        dataclasses.replace(each, file=place.file, text="    ldj = " + "+ one_term" * 9)
        for each in FAIL.ledger
    )
    finding = dataclasses.replace(DIMS_FACTOR, location=place)
    result = dataclasses.replace(FAIL, target=target, findings=(finding,), ledger=steps)
    for style in (PLAIN, VERBOSE):
        text = drawn(run(result), style)
        assert "examples/dequantization_mistakes.py:" in text
        assert f"--> {place.file}:41" in text
        words = set(re.findall(r"\w+", text))
        assert not words & {"one_term"[:n] for n in range(2, 8)}


def test_statistics_end_the_report_with_how_often_each_code_was_found() -> None:
    back = dataclasses.replace(DIMS_FACTOR, direction="inverse")
    both = dataclasses.replace(FAIL, findings=(DIMS_FACTOR, back))  # it is one mistake
    warned = dataclasses.replace(PASS, findings=(*UNTRACKED.findings, MUTATED))
    many = run(both, *[dataclasses.replace(both, findings=(back,))] * 9, warned)
    counts = dedent("""
        10  LDJ101 missing-dims-factor
         1  LDJ205 incoming-ldj-mutated (note)
         1  LDJ303 inverse-ldj-untracked (warning)
    """)
    style = dataclasses.replace(PLAIN, statistics=True)
    plain, end = drawn(many).rsplit("\n\n", 1)

    assert drawn(many, style) == f"{plain}\n{counts}\n{end}"
    quiet = dataclasses.replace(QUIET, statistics=True)
    assert drawn(many, quiet) == f"{drawn(many, QUIET)}{counts}"
    right = run(dataclasses.replace(PASS, findings=()))
    assert drawn(right, style) == drawn(right)


def test_what_was_not_finished_stands_under_the_verdict() -> None:
    text = drawn(run(dataclasses.replace(FAIL, not_done=("an edit that mends it",))))

    assert text.splitlines()[2] == (
        "  Time did not allow: an edit that mends it. --timeout gives it more."
    )


def test_what_is_open_for_want_of_time_asks_for_no_other_shape() -> None:
    open_ = dataclasses.replace(
        PASS, status="unproven", not_done=("2 of 5 configurations",)
    )
    text = drawn(run(open_))

    assert "  Time did not allow: 2 of 5 configurations." in text
    assert (
        "Nothing wrong was found in what was measured; a pass needs all of it." in text
    )
    assert "nothing was compared" not in text
    assert "try another --shape" not in text


def test_a_pass_says_which_direction_it_speaks_for() -> None:
    both = dataclasses.replace(PASS, checks=(PASSED, PASS.checks[0]))
    assert drawn(run(PASS)).splitlines()[1].endswith("  PASS  forward only")
    assert drawn(run(both)).splitlines()[1].endswith("  PASS")


def test_a_pass_says_that_other_sizes_disagree() -> None:
    warning = dataclasses.replace(MUTATED, code="LDJ121", severity="warning")
    result = dataclasses.replace(PASS, findings=(warning,))
    assert "PASS  forward only  other sizes disagree\n" in drawn(run(result), QUIET)


def test_what_nobody_explains_is_said_to_be_open() -> None:
    trip = dataclasses.replace(ROUND_TRIP, status="unproven", worst=1e-5)
    why = {"round trip": "off by 1e-05: a solver's residual"}
    result = dataclasses.replace(
        UNPROVEN, findings=(), checks=(trip, PASSED), inferred=why
    )
    text = drawn(run(result))
    assert "but not all could be proved: round trip unproven.\n" in text
    assert "--direction forward leaves the way back out" in text
    assert "\n  round trip: off by 1e-05: a solver's residual\n" in text


def test_python_is_told_of_no_options() -> None:
    late = dataclasses.replace(FAIL, not_done=("an edit that mends it",))
    open_ = dataclasses.replace(UNPROVEN, findings=(), checks=(PASSED, CONTRACT))
    warned = dataclasses.replace(PASS, findings=(MUTATED,) * 3)
    for result in (late, open_, warned):
        text = drawn(dataclasses.replace(run(result), command="ldjcheck.check"))
        assert not re.findall(r"(?<!\S)--?[a-z][a-z-]*", text)
        assert ".details" in text or result is open_


def test_lines_of_python_stay_beside_edits_that_wrap() -> None:
    long = " * a_name_of_some_length" * 3
    assert DIMS_FACTOR.fix is not None
    (edit,) = DIMS_FACTOR.fix.edits
    edits = tuple(
        dataclasses.replace(edit, line=41 + n, before="a = b", after=f"a = -b{long}")
        for n in range(2)
    )
    fix = dataclasses.replace(DIMS_FACTOR.fix, edits=edits)
    finding = dataclasses.replace(DIMS_FACTOR, fix=fix, evidence=("a reason",) * 5)
    back = dataclasses.replace(finding, direction="inverse")
    result = dataclasses.replace(FAIL, findings=(finding, back), again="check(a)")
    text = drawn(run(result))

    told = "from ldjcheck import check\nprint(check(a).sample('forward', 0))\n"
    assert text.count("\n") - 1 <= 30
    assert text.rsplit("\n", 3)[0].endswith(f"explain LDJ101\n{told}".rstrip())
    assert "difference = (dims - 1) * log(self.quants), at dims 1, 4 and 16\n" in text


def test_the_line_to_change_is_never_cut() -> None:
    long = "ldj = ldj + torch.log(torch.abs(self.scale + self.shift * 2.0)).sum(dim=1)"
    place = dataclasses.replace(DIMS_FACTOR.location, line=41, text=long)
    finding = dataclasses.replace(DIMS_FACTOR, location=place)
    steps = (line(40, "f", f"z = {long}", -1.0, None), line(41, "f", long, None, 1.0))
    text = drawn(run(dataclasses.replace(FAIL, ledger=steps, findings=(finding,))))

    start = text.index("41 > ldj")
    assert long.replace(" ", "") in text[start : start + 200].replace(" ", "").replace(
        "\n", ""
    ).replace("+1.00", "")
    (step,) = (row for row in text.splitlines() if " 40   z = ldj" in row)
    assert step.endswith("...     -1.00")


@pytest.mark.parametrize("notes", range(8))
@pytest.mark.parametrize("severity", ["note", "warning"])
def test_a_pass_fits_eight_lines_whatever_is_remarked(
    notes: int, severity: str
) -> None:
    remark = dataclasses.replace(MUTATED, severity=severity, message="word " * 40)
    result = dataclasses.replace(PASS, findings=(remark,) * notes)
    assert len(drawn(run(result)).splitlines()) - 1 <= 8


@given(result=RESULT, typed=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_layer_fits_its_screen(result: Result, typed: bool) -> None:
    command = "ldjcheck flows.py" if typed else "ldjcheck.check"
    text = drawn(dataclasses.replace(run(result), command=command))
    most = 8 if result.status == "pass" else 30
    assert len(text.splitlines()) - 1 <= most
    assert max(map(columns, text.splitlines())) <= 80


def test_a_pass_with_two_notes_names_every_check_in_full() -> None:
    gradient = dataclasses.replace(CONTRACT, name="gradient", direction="inverse")
    forth = dataclasses.replace(PASSED, direction="forward", wrt="noise")
    note = dataclasses.replace(MUTATED, code="LDJ212", name="single-precision")
    result = dataclasses.replace(
        PASS,
        convention="accumulator",
        kind="dequantization",
        checks=(forth, PASSED, ROUND_TRIP, CONTRACT, gradient),
        findings=(MUTATED, note),
    )
    shown = render(run(result), Style(color=False, verbosity=0))
    assert "accumulator, dequantization; ok: round trip, contract, gradient" in shown
    assert "..." not in shown
