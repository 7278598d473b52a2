"""`@ldjcheck.parametrize`: one test per layer and check, and what is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    Runs = Callable[..., pytest.RunResult]


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Return how each test came out, by the id in its brackets."""
    found = {}
    for line in result.outlines:
        head, _, rest = line.partition(" ")
        if head in ("PASSED", "FAILED", "SKIPPED", "XFAIL", "ERROR") and "[" in rest:
            found[rest.partition("[")[2].partition("]")[0]] = head
    return found


def test_each_layer_gives_a_test_per_check_with_an_id_to_read(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize([Scale(), Flipped], shape=(3,))
def test_layers(layer, check, report):
    assert isinstance(layer, Scale) and report.run.seed == 0
    assert check in ("forward", "inverse", "round-trip", "contract", "gradient")
""",
        "-rA",
    )
    assert outcomes(result) == {
        "Scale-forward": "PASSED",
        "Scale-inverse": "PASSED",
        "Scale-round-trip": "PASSED",
        "Scale-contract": "PASSED",
        "Scale-gradient": "PASSED",
        "Flipped-forward": "FAILED",
        "Flipped-inverse": "PASSED",
        "Flipped-round-trip": "PASSED",
        "Flipped-contract": "PASSED",
        "Flipped-gradient": "PASSED",
    }
    result.stdout.fnmatch_lines(["2 layers checked: 1 pass, 1 mistake"])


def test_a_failure_shows_the_line_of_the_list_and_no_frame_of_ours(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize([Flipped()], shape=(3,))
def test_layers():
    pass
"""
    )
    title = f"{' test_layers[Flipped-forward] ':_^80}"
    start = result.outlines.index(title)
    assert result.outlines[start : start + 5] == [
        title,
        "",
        ">   @ldjcheck.parametrize([Flipped()], shape=(3,))",
        "E   ldjcheck.LdjMismatch: LDJ104 sign-flipped",
        "E   The whole log-determinant has the wrong sign.",
    ]
    result.stdout.fnmatch_lines(["test_it.py:4: LdjMismatch"])
    result.stdout.no_fnmatch_line("*parametrizing.py*")


def test_what_a_layer_does_not_offer_is_skipped(run: Runs) -> None:
    result = run(
        "@ldjcheck.parametrize([OneWay()], shape=(3,))\ndef test_it(): pass", "-rA"
    )
    result.assert_outcomes(passed=3, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*inverse not available"])


def test_names_come_from_a_mapping_from_ids_or_from_types(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize({"a": Scale(), "b": Scale()}, shape=(3,))
def test_mapping(): pass

@ldjcheck.parametrize([Scale(), Scale()], ids=["c", "d"], shape=(3,))
def test_ids(): pass

@ldjcheck.parametrize([Scale(), OneWay], ids=lambda it: "f" if it is OneWay else None)
def test_function(): pass

@ldjcheck.parametrize([Scale(), Scale(), pytest.param(Scale(), id="e")], shape=(3,))
def test_types(): pass
""",
        "--co",
        "-q",
    )
    layers = {line.partition("[")[2].partition("-")[0] for line in result.outlines}
    assert layers - {""} == {
        "a", "b", "c", "d", "e", "f", "Scale", "Scale0", "Scale1",
    }  # fmt: skip


def test_it_works_in_classes_with_fixtures_and_with_other_parameters(
    run: Runs,
) -> None:
    run(
        """
class TestAll:
    @pytest.mark.parametrize("number", [1, 2])
    @ldjcheck.parametrize([Scale()], shape=(3,))
    def test_it(self, number, layer, tmp_path, request):
        assert number in (1, 2) and tmp_path.exists() and layer and request.node
""",
    ).assert_outcomes(passed=10)


@pytest.mark.slow
def test_an_expected_mistake_is_an_xfail_with_its_reason(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize([Flipped()], shape=(3,), expected={"sign-flipped": "see #3"})
def test_it(): pass
""",
        "-rA",
    )
    result.assert_outcomes(passed=4, xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL*forward] - LDJ104 sign-flipped: see #3"])
    result.stdout.fnmatch_lines(["1 layer checked: 1 as expected"])
    result.stdout.no_fnmatch_line("LDJ104 sign-flipped  test_it*")


def test_an_expected_mistake_that_is_mended_fails(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize([Scale()], shape=(3,), expected={"LDJ104": "see #3"})
def test_it(): pass
"""
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*XPASS(strict)* LDJ104 no longer occurs: take it out of expected",
            "  LDJ104: see #3",
        ]
    )


@pytest.mark.slow
def test_another_mistake_than_the_expected_one_fails(run: Runs) -> None:
    result = run(
        """
@ldjcheck.parametrize([Flipped()], shape=(3,), expected={"missing-term": "see #3"})
def test_it(): pass
"""
    )
    result.stdout.fnmatch_lines(["E*ldjcheck.LdjMismatch: LDJ104 sign-flipped"])
    result.assert_outcomes(passed=4, failed=1)


def test_an_expected_unproven_layer_is_an_xfail_or_allowed_to_pass(run: Runs) -> None:
    run(
        """
@ldjcheck.parametrize([Idle()], shape=(3,), expected={"vacuous-check": "by design"})
def test_expected(): pass
""",
    ).assert_outcomes(passed=2, skipped=2, xfailed=1)
    run(
        """
@pytest.mark.ldj(allow_unproven="by design")
@ldjcheck.parametrize([Idle()], shape=(3,))
def test_allowed(): pass
""",
    ).assert_outcomes(passed=3, skipped=2)
    run(
        "@ldjcheck.parametrize([Idle()], shape=(3,))\ndef test_neither(): pass"
    ).assert_outcomes(passed=2, skipped=2, failed=1)


def test_a_layer_of_which_nothing_was_compared_fails_one_of_its_tests(
    run: Runs,
) -> None:
    source = """
@ldjcheck.parametrize([OneWay()], shape=(3,), direction="inverse")
def test_it(): pass
"""
    result = run(source)
    result.assert_outcomes(failed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*test_it[[]OneWay-forward[]]*",
            "E*LdjUnproven: unproven: nothing was compared",
        ]
    )
    allowed = "@pytest.mark.ldj(allow_unproven='it has no inverse')"
    run(f"{allowed}{source}").assert_outcomes(skipped=5)


@pytest.mark.slow
def test_a_layer_is_counted_once_whatever_other_parameters_its_tests_have(
    run: Runs,
) -> None:
    result = run(
        """
@pytest.mark.parametrize("number", ["one-forward"])
class TestOuter:
    @ldjcheck.parametrize({"double": Flipped(), "größe": Flipped()}, shape=(3,))
    @pytest.mark.parametrize("inner", [2])
    def test_it(self, number, inner): pass
"""
    )
    place = "test_it.py::TestOuter::test_it[[]2-double-one-forward[]] and 1 more"
    result.stdout.fnmatch_lines(
        ["2 layers checked: 2 mistakes", f"LDJ104 sign-flipped  {place}"]
    )


UNTRACKED = """
@ldjcheck.parametrize([{layer}()], shape=(3,){expected})
def test_it(): pass
"""


def test_an_expected_warning_is_struck_from_the_summary(run: Runs) -> None:
    told = "LDJ303 inverse-ldj-untracked (*)  test_it.py::test_it*"
    result = run(UNTRACKED.format(layer="Untracked", expected=""))
    result.stdout.fnmatch_lines([told])
    expected = ", expected={'inverse-ldj-untracked': 'nobody needs it'}"
    result = run(UNTRACKED.format(layer="Untracked", expected=expected))
    assert result.parseoutcomes().get("failed", 0) == 0
    result.stdout.no_fnmatch_line(told)


def test_an_expected_warning_that_is_gone_fails(run: Runs) -> None:
    expected = ", expected={'inverse-ldj-untracked': 'nobody needs it'}"
    result = run(UNTRACKED.format(layer="Scale", expected=expected))
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["FAILED *Scale-inverse*"])


@pytest.mark.slow
def test_one_layer_of_a_list_has_its_own_expectations(run: Runs) -> None:
    run(
        """
@ldjcheck.parametrize([
    Scale(),
    pytest.param(Flipped(), marks=pytest.mark.ldj(expected={"LDJ104": "see #3"})),
], shape=(3,))
def test_it(): pass
"""
    ).assert_outcomes(passed=9, xfailed=1)


def test_a_layer_that_cannot_be_called_fails_all_its_tests(run: Runs) -> None:
    result = run("@ldjcheck.parametrize([Broken()])\ndef test_it(): pass")
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(["E*ldjcheck.LdjError: LDJ005 layer-raised"])


def test_a_class_that_needs_arguments_says_what_to_do_instead(run: Runs) -> None:
    result = run(
        """
class Needy(Scale):
    def __init__(self, dims): super().__init__(dims)

@ldjcheck.parametrize([Needy])
def test_it(): pass
"""
    )
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(
        [
            "Needy cannot be built without arguments: put a layer that is built into*",
            "TypeError: *missing 1 required positional argument: 'dims'",
        ]
    )
    result.stdout.no_fnmatch_line("*parametrizing.py*")


def test_a_function_under_two_marks_is_checked_with_the_options_of_each(
    run: Runs,
) -> None:
    result = run(
        """
class Base:
    @ldjcheck.parametrize([Scale], kwarg={})
    def test_layers(self, report): assert report.run.seed == self.seed

@pytest.mark.ldj(seed=3)
class TestThree(Base): seed = 3

@pytest.mark.ldj(seed=4)
class TestFour(Base): seed = 4
"""
    )
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["2 layers checked: 2 pass"])


@pytest.mark.parametrize(
    ("raised", "shown"),
    [("ValueError('boom')", "ValueError: boom"), ("SystemExit(4)", "SystemExit: 4")],
)
def test_a_class_that_raises_says_what_and_shows_no_frame_of_ours(
    run: Runs, raised: str, shown: str
) -> None:
    result = run(
        f"""
class Boom(Scale):
    def __init__(self): raise {raised}

@ldjcheck.parametrize([Boom], shape=(3,))
def test_it(): pass
"""
    )
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(
        ["Boom raised while it was built:", "*test_it.py*line 5*", shown]
    )
    assert "parametrizing.py" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_an_option_that_does_not_fit_the_layer_shows_no_frame_of_ours(
    run: Runs,
) -> None:
    result = run(
        "@ldjcheck.parametrize([Scale()], context={'ctx': (3,)})\ndef test_it(): pass"
    )
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(["E*The layer takes no argument 'ctx'*"])
    result.stdout.no_fnmatch_line("*parametrizing.py*")


def test_transforms_functions_and_static_methods_are_taken(run: Runs) -> None:
    run(
        """
class TestAll:
    @staticmethod
    @ldjcheck.parametrize([torch.distributions.ExpTransform()], shape=(3,))
    def test_transform(layer): assert layer

    @ldjcheck.parametrize([lambda x: (-x, 0 * x.sum(1))], shape=(3,))
    def test_function(self, report): assert report.findings == ()
"""
    ).assert_outcomes(passed=8, skipped=2)


def test_the_bodys_own_assertion_counts(run: Runs) -> None:
    result = run(
        "@ldjcheck.parametrize([Scale()], shape=(3,))\n"
        "def test_it(check): assert check != 'inverse'"
    )
    result.assert_outcomes(passed=4, failed=1)


@pytest.mark.slow
def test_runxfail_shows_what_was_expected(run: Runs) -> None:
    result = run(
        "@ldjcheck.parametrize([Flipped()], shape=(3,), expected={'LDJ104': 'why'})\n"
        "def test_it(): pass",
        "--runxfail",
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["E*LDJ104 sign-flipped"])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"shapes": (3,)}, TypeError, "no option 'shapes'; did you mean 'shape'"),
        ({"expected": {"sign-fliped": "x"}}, ValueError, "no finding is called"),
        ({"expected": {"LDJ104": " "}}, ValueError, "needs a reason"),
        ({"ids": ["a", "b"]}, ValueError, "2 ids are given for 1 layers"),
        ({"expected": ["LDJ104"]}, TypeError, "gives the reason of each"),
        ({"shape": "a"}, ValueError, "shape='a': an event shape is"),
        ({"layers": len}, TypeError, r"a list of layers, even of one: \[<built-in"),
        ({"layers": [pytest.param(1, 2)]}, TypeError, "takes one layer here, not 2"),
    ],
)
def test_what_is_misspelt_is_refused_at_once(
    arguments: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ldjcheck.parametrize(**{"layers": [lambda x: x], **arguments})


def test_it_stands_over_functions_alone() -> None:
    with pytest.raises(TypeError, match="over a test function, and no <class"):
        ldjcheck.parametrize([lambda x: x])(type("TestAll", (), {}))


def test_a_case_of_unittest_is_told_to_assert(run: Runs) -> None:
    result = run(
        """
import unittest

class Case(unittest.TestCase):
    @ldjcheck.parametrize([Scale()], shape=(3,))
    def test_it(self): pass
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*unittest.TestCase*call assert_ldj there*"])
