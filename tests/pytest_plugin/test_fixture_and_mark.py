"""The fixture `ldj` and the mark that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]


TWICE = """
class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x, 0 * x.sum(1)  # ldjcheck: ignore[ldj-forgotten] why

def test_twice(ldj):
    ldj.assert_ok(Twice())
"""


def test_a_comment_of_the_source_counts_in_tests(run: Runs) -> None:
    run(TWICE).assert_outcomes(passed=1)
    slip = run(TWICE.replace("] why", "]"))
    slip.assert_outcomes(failed=1)
    slip.stdout.fnmatch_lines(
        ["E *, line 6: ignore?ldj-forgotten?: give the reason: *"]
    )


@pytest.mark.slow
def test_a_right_layer_passes_and_a_wrong_one_fails(run: Runs) -> None:
    result = run(
        """
def test_right(ldj):
    assert ldj.assert_ok(Scale(), shape=(3,)).status == "pass"

def test_wrong(ldj):
    ldj.assert_ok(Flipped(), shape=(3,))

def test_looked_at(ldj):
    assert ldj.check(Flipped(), shape=(3,)).status == "fail"
"""
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E*ldjcheck.LdjMismatch: LDJ104 sign-flipped"])


@pytest.mark.slow
def test_marks_add_up_and_the_closest_wins(run: Runs) -> None:
    run(
        """
pytestmark = pytest.mark.ldj(shape=(2,), batch=5)

@pytest.mark.ldj(seed=7)
class TestScale:
    @pytest.mark.ldj(shape=(3,))
    def test_it(self, ldj):
        check = ldj.assert_ok(Scale()).checks[0]
        assert (check.shape, len(check.samples), ldj.seed) == ((3,), 5, 7)

    @pytest.mark.ldj(shape=(4,))
    def test_a_call_comes_before_the_mark(self, ldj):
        assert ldj.check(Scale(2), shape=(2,)).checks[0].shape == (2,)
"""
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("shap=(3,)", "there is no option 'shap'; did you mean 'shape'?"),
        ("(3,)", "it takes keywords only, as in shape=(3,)"),
        ("allow_unproven=True", "allow_unproven needs a reason*"),
    ],
)
def test_a_mark_that_is_misspelt_fails_its_test(
    run: Runs, mark: str, said: str
) -> None:
    result = run(f"@pytest.mark.ldj({mark})\ndef test_it(ldj): ldj.check(Scale())")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"marker ldj: {said}"])


def test_a_reason_lets_an_unproven_layer_pass(run: Runs) -> None:
    run(
        """
@pytest.mark.ldj(shape=(3,), allow_unproven="identity by design")
def test_mark(ldj): ldj.assert_ok(Idle())

def test_call(ldj): ldj.assert_ok(Idle(), shape=(3,), allow_unproven="by design")

def test_none(ldj): ldj.assert_ok(Idle(), shape=(3,))
"""
    ).assert_outcomes(passed=2, failed=1)


def test_a_mark_ignores_findings_with_a_reason(run: Runs) -> None:
    run(
        """
@pytest.mark.ldj(shape=(3,), strict=True)
class TestStrict:
    def test_told(self, ldj):
        ldj.assert_ok(Untracked())

    @pytest.mark.ldj(ignore={"inverse-ldj-untracked": "samples only"})
    def test_ignored(self, ldj):
        ldj.assert_ok(Untracked())
"""
    ).assert_outcomes(passed=1, failed=1)


SEEN = "def test_it(ldj): assert ldj.seed == ldj.check(Scale()).run.seed == {seed}"


@pytest.mark.slow
def test_the_seed_comes_from_the_ini_and_the_command_line_goes_before(
    run: Runs, flows: pytest.Pytester
) -> None:
    run(SEEN.format(seed=0)).assert_outcomes(passed=1)
    flows.makeini("[pytest]\nldj_seed = 11")
    run(SEEN.format(seed=11)).assert_outcomes(passed=1)
    run(SEEN.format(seed=5), "--ldj-seed=5").assert_outcomes(passed=1)


def test_the_seed_may_be_a_number_of_toml(run: Runs, flows: pytest.Pytester) -> None:
    flows.makepyprojecttoml("[tool.pytest.ini_options]\nldj_seed = 11")
    run(SEEN.format(seed=11)).assert_outcomes(passed=1)
    (flows.path / "pyproject.toml").unlink()
    if pytest.version_tuple >= (9, 0):
        flows.path.joinpath("pytest.toml").write_text("[pytest]\nldj_seed = 12")
        run(SEEN.format(seed=12)).assert_outcomes(passed=1)


def test_a_seed_of_the_ini_that_is_no_number_is_refused(
    run: Runs, flows: pytest.Pytester
) -> None:
    flows.makeini("[pytest]\nldj_seed = seven")
    result = run(SEEN.format(seed=7))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = [line for line in result.errlines if "ini ldj_seed" in line]
    assert "a whole number" in said
    assert "'seven'" in said


def test_a_call_that_makes_no_sense_shows_the_users_line_alone(run: Runs) -> None:
    result = run(
        """
def test_value(ldj): ldj.check(Scale(), batch=0)

def test_name(ldj): ldj.assert_ok(Scale(), direcion="both")

def test_argument(): ldjcheck.assert_ldj(Scale(), context={"ctx": (3,)})
"""
    )
    result.assert_outcomes(failed=3)
    told = result.stdout.str()
    assert "batch=0: it is a whole number of at least 1." in told
    assert "there is no option 'direcion'; did you mean 'direction'?" in told
    assert "The layer takes no argument 'ctx'" in told
    assert "ldjcheck/options" not in told
    assert "ldjcheck/api" not in told


PROJECT = """
[tool.ldjcheck]
seed = 11
batch = 4
shape = "3"
strict = true
params-scale = 0.2
format = "concise"

[tool.ldjcheck.ignore]
sign-flipped = "meant so"
"""


@pytest.mark.slow
def test_the_settings_of_the_project_hold_and_a_mark_a_call_or_an_option_goes_before(
    run: Runs, flows: pytest.Pytester
) -> None:
    flows.makepyprojecttoml(PROJECT)
    source = """
def test_all(ldj):
    report = ldj.check(Flipped())
    assert (ldj.seed, len(report.checks[0].samples)) == (11, 4)
    assert (report.status, report.result.ignored[0].reason) == ("pass", "meant so")
    assert ldj.check(Scale()).findings == ()  # what is ignored need not occur

def test_strict(ldj):
    with pytest.raises(ldjcheck.LdjMismatch): ldj.assert_ok(Untracked())

@pytest.mark.ldj(batch=6, strict=False)
def test_mark(ldj):
    assert len(ldj.assert_ok(Untracked()).checks[0].samples) == 6
    assert len(ldj.check(Scale(), batch=2).checks[0].samples) == 2

@ldjcheck.parametrize([Flipped])
def test_layers(report): assert report.run.seed == 11
"""
    result = run(source)
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["ldjcheck *: seed 11, float64, 4 samples"])
    run(SEEN.format(seed=0), "--ldj-seed=0").assert_outcomes(passed=1)


def test_a_setting_that_cannot_be_read_is_named_with_its_file(
    run: Runs, flows: pytest.Pytester
) -> None:
    flows.makepyprojecttoml("[tool.ldjcheck]\nkwarg = {scale = 'width + 1'}")
    result = run("def test_it(ldj): ldj.check(Scale())")
    told = result.stdout.str() + result.stderr.str()
    assert "[tool.ldjcheck] kwarg.scale: width + 1 is no plain value" in told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("sahpe = [4]", "sahpe: there is no such setting; did you mean shape*"),
        ("params-scale = 'a'", "params_scale='a': it is a finite number above 0."),
        ("strict = 'no'", "strict='no': it is True or False."),
        ("adapter = 'mine'", "adapter: there is no such setting*"),
    ],
)
def test_a_setting_that_makes_no_sense_ends_a_session_that_checks_layers(
    run: Runs, flows: pytest.Pytester, setting: str, told: str
) -> None:
    flows.makepyprojecttoml(f"[tool.ldjcheck]\n{setting}")
    result = run("def test_it(ldj): ldj.check(Scale())")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*pyproject.toml: [[]tool.ldjcheck[]] {told}"])
    run("def test_it(): pass").assert_outcomes(passed=1)


@pytest.mark.slow
def test_workers_say_in_their_tests_what_is_wrong_with_a_setting(
    run: Runs, flows: pytest.Pytester, load: tuple[str, ...]
) -> None:
    pytest.importorskip("xdist")
    flows.makepyprojecttoml("[tool.ldjcheck]\nsahpe = [4]")
    flows.makepyfile(test_it="def test_it(ldj): pass")
    result = flows.runpytest_subprocess(*load, "-n2")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*UsageError: *sahpe: there is no such setting*"])


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_numpy_does_not_take_is_refused(run: Runs, seed: str) -> None:
    result = run("def test_it(): pass", f"--ldj-seed={seed}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--ldj-seed is {seed}; it takes a whole number*"])


def test_random_weights_are_the_same_in_every_run_and_nobody_else_notices(
    run: Runs,
) -> None:
    result = run(
        """
import numpy, torch

torch.manual_seed(1)
drawn = []

def test_first(ldj): drawn.append((Random().log_scale, numpy.random.rand()))

def test_second(ldj): drawn.append((Random().log_scale, numpy.random.rand()))

def test_they_agree():
    (layer, number), (again, once_more) = drawn
    assert torch.equal(layer, again) and number == once_more

def test_the_others_go_on_where_they_were():
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
"""
    )
    result.assert_outcomes(passed=4)


def test_the_fixture_and_the_mark_are_documented(run: Runs) -> None:
    run("", "--fixtures").stdout.fnmatch_lines(
        ["ldj -- *", "*Check layers with the settings of the session*"]
    )
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.ldj(shape=*"])


@pytest.mark.slow
def test_classes_and_unittest_cases_use_it(run: Runs) -> None:
    result = run(
        """
import unittest

class TestPlain:
    def test_it(self, ldj): ldj.assert_ok(Scale(), shape=(3,))

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, ldj): self.ldj = ldj

    def test_fixture(self): self.ldj.assert_ok(Scale(), shape=(3,))

    def test_plain(self): ldjcheck.assert_ldj(Scale(), shape=(3,))

    def test_wrong(self):
        with self.assertRaises(AssertionError):
            ldjcheck.assert_ldj(Flipped(), shape=(3,))
"""
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        ["4 layers checked: 3 pass, 1 not right in a test that passes"]
    )


@pytest.mark.slow
def test_a_failing_test_that_looks_at_a_wrong_layer_shows_what_is_wrong(
    run: Runs,
) -> None:
    source = """
def test_looked_at(ldj):
    assert ldj.check(Scale()).status == "pass"
    assert ldjcheck.check(Flipped()).status == "pass"

def test_meant_so(ldj):
    assert ldj.check(Flipped()).status == "fail"
"""
    result = run(source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 'fail' == 'pass'",
            "*- ldjcheck -*",
            "*FAIL  LDJ104 sign-flipped",
            "*return y, -ldj",
            "3 layers checked: 1 pass, 1 mistake, 1 not right in a test that passes",
        ]
    )
    assert result.stdout.str().count("fix, run") == 1
