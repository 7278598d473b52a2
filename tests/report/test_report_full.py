"""What people read who ask for everything, word for word."""

from __future__ import annotations

import dataclasses
from textwrap import dedent

from report_runs import (
    CONTRACT,
    FAIL,
    FAILED,
    PASS,
    RAISED,
    STRICT,
    SUGGESTED,
    TWO_MISTAKES,
    UNTRACKED,
    WITHOUT_SAMPLES,
    run,
    samples,
)

from ldjcheck.records import Run
from ldjcheck.records.result import Dimension
from ldjcheck.report import Style
from ldjcheck.report.text import render

VERBOSE = Style(color=False, verbosity=1)


def drawn(run: Run, style: Style = VERBOSE) -> str:
    return "\n" + render(run, style)


def test_a_mistake_is_told_in_words_numbers_place_reason_fix_and_cost() -> None:
    assert drawn(run(FAIL)) == dedent("""
        deq.py:Dequantization                           FAIL  LDJ101 missing-dims-factor

          The log-determinant counts log(quants) once, not once per dimension.

          forward, 3 samples of shape (1, 4, 4) = 16 dims, noise frozen, float64
            sample     exact    reported    difference    allowed
                 0  -55.3462    +27.8315      +83.1777      3e-12
                 1  -60.1846    +22.9931      +83.1777      3e-12
                 2  -56.0315    +27.1462      +83.1777      3e-12

          --> deq.py:41, in dequant

          Where it happens (sample 0, in the order the lines ran)
            deq.py                                                       exact  reported
            dequant   39  z = z + torch.rand_like(z)                      0.00
                      40  z = z / self.quants                           -88.72
                    > 41  ldj -= np.log(self.quants)                               -5.55
            sigmoid   33  ldj += (-torch.log(z) - torch.log(1 - z...              +33.38
                      34  z = torch.log(z) - torch.log(1 - z)           +33.38
            total                                                     -55.3462  +27.8315

          Why
            difference = (dims - 1) * log(self.quants) at every size I tried:
            dims 1: 0   dims 4: +16.6355   dims 9: +44.3614   dims 16: +83.1777
            Largest deviation from that law: 7e-15.
            The same numbers also fit LDJ105.

          fix, run: all samples then agree to 2e-15
            41 -  ldj -= np.log(self.quants)
            41 +  ldj -= np.log(self.quants) * np.prod(z.shape[1:])

          What it does to you
            Your bits per dimension are off by 7.99.

          Learn more: ldjcheck explain LDJ101

          inverse, 2 samples of shape (1, 4, 4) = 16 dims, float64
            sample     exact    reported    difference    allowed
                 0  +55.3462    +55.3462             0      3e-12
                 1  +60.1846    +60.1846             0      3e-12

          Also checked: inverse ok, round trip ok, contract ok

          note LDJ205: `ldj` is changed in place; the tensor you pass is altered.
            It was 0.7 before the call and -54.6 after it.

          Convention accumulator, kind dequantization
          convention: accumulator: the parameter 'ldj' takes a running total
          shape: (1, 4, 4), the usual image

        Seed 0: ldjcheck deq.py:Dequantization
        1 mistake in 1 layer (0.4 s)
        """)


def test_verbose_adds_all_numbers_the_evidence_of_notes_and_the_command() -> None:
    by_dimension = dataclasses.replace(
        PASS.checks[0],
        dimensions=(
            Dimension(index=0, exact=-13.8365, reported=None),
            Dimension(index=1, exact=-41.5097, reported=None),
        ),
        structure="diagonal",
    )
    result = dataclasses.replace(PASS, checks=(by_dimension, CONTRACT))

    assert drawn(run(result), VERBOSE) == dedent("""
        deq.py:Dequantization                                         PASS  forward only

          forward, 2 samples of shape (1, 4, 4) = 16 dims, noise frozen, float64
            sample     exact    reported    difference    allowed
                 0  +55.3462    +55.3462             0      3e-12
                 1  +60.1846    +60.1846             0      3e-12

          first sample by dimension (diagonal Jacobian)
            dim     exact    reported
              0  -13.8365           -
              1  -41.5097           -

          forward   2 samples of (1, 4, 4), noise frozen  worst 2e-15  allowed 3e-12
          contract  ok

          note LDJ205: `ldj` is changed in place; the tensor you pass is altered.
            It was 0.7 before the call and -54.6 after it.

          Convention accumulator, kind dequantization
          convention: accumulator: the parameter 'ldj' takes a running total
          shape: (1, 4, 4), the usual image

        Seed 0: ldjcheck deq.py:Dequantization
        No mistakes in 1 layer (0.4 s)
        """)


def test_two_mistakes_each_stand_beside_the_numbers_of_their_direction() -> None:
    assert drawn(run(TWO_MISTAKES)) == dedent("""
        deq.py  Dequantization()                        FAIL  LDJ101 missing-dims-factor

          The log-determinant counts log(quants) once, not once per dimension.

          forward, 3 samples of shape (1, 4, 4) = 16 dims, noise frozen, float64
            sample     exact    reported    difference    allowed
                 0  -55.3462    +27.8315      +83.1777      3e-12
                 1  -60.1846    +22.9931      +83.1777      3e-12
                 2  -56.0315    +27.1462      +83.1777      3e-12

          --> deq.py:41, in dequant
              ldj -= np.log(self.quants)

          Why
            Largest deviation from that law: 7e-15.

          Learn more: ldjcheck explain LDJ101

          LDJ110 inverse: The inverse leaves out log(1 - alpha).

          inverse, 2 samples of shape (1, 4, 4) = 16 dims, float64
            sample      exact    reported    difference    allowed
                 0  +1.000040   +1.000000  -4.00000e-05      3e-12
                 1  -2.000000         nan           nan      3e-12

          --> flows.ipynb, cell 4, line 52

          Why
            The step at line 52 has no term.

          Also checked: round trip ok

        Seed 0: ldjcheck deq.py:Dequantization
        2 mistakes in 1 layer (0.4 s)
        """)


def test_the_dimensions_of_the_first_sample_are_shown() -> None:
    dimensions = (
        Dimension(index=0, exact=0.5, reported=-0.5),
        Dimension(index=1, exact=-0.25, reported=-0.25),
    )
    check = dataclasses.replace(
        FAILED,
        shape=(2,),
        dims=2,
        dimensions=dimensions,
        samples=samples((-0.75, 0.25)),
    )
    result = dataclasses.replace(FAIL, checks=(check,))

    assert """
  forward, 1 sample of shape (2,) = 2 dims, noise frozen, float64
    sample    exact    reported    difference    allowed
         0  +0.2500     -0.7500      -1.00000      3e-12

  first sample by dimension
    dim    exact    reported
      0  +0.5000     -0.5000
      1  -0.2500     -0.2500

""" in drawn(run(result))


def test_a_suggested_fix_says_that_it_was_not_run() -> None:
    assert """
  fix, a suggestion, not run
    base.py
    7 -  return y, 0

""" in drawn(run(SUGGESTED))


def test_an_inverse_ldj_that_is_not_tracked_is_called_so() -> None:
    text = drawn(run(UNTRACKED))

    assert "\n  inverse: ldj not tracked\n" in text
    assert (
        "\n  warning LDJ303: The inverse hands back the ldj that it is given.\n" in text
    )


def test_a_warning_made_an_error_by_strict_gives_the_code() -> None:
    text = drawn(run(STRICT))

    assert text.splitlines()[1].endswith("  FAIL  LDJ205 incoming-ldj-mutated")
    assert text.splitlines()[-1] == "1 layer: 1 fail (0.4 s)"


def test_a_failing_check_without_samples_still_shows_its_numbers() -> None:
    assert "\n  round trip, worst difference 0.53, allowed 1e-09\n" in drawn(
        run(WITHOUT_SAMPLES)
    )


def test_a_check_that_raised_is_no_silent_pass() -> None:
    assert "\n  Also checked: inverse could not be run\n" in drawn(run(RAISED))
