"""Runs made by hand, and hypothesis strategies for any run at all.

A report draws records, so its tests start from records: no layer is run here.
"""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from hypothesis import strategies as st

from ldjcheck import records
from ldjcheck.records import (
    Check,
    Edit,
    Finding,
    Fix,
    Law,
    LedgerLine,
    Location,
    Result,
    Run,
    Sample,
    words,
)
from ldjcheck.records import result as of_results
from ldjcheck.records.result import LawPoint, Skipped, SublayerLine


def run(*results: Result, skipped: tuple[Skipped, ...] = (), exit_code: int = 0) -> Run:
    return Run(
        seed=0,
        exit_code=exit_code,
        seconds=0.42,
        command="ldjcheck deq.py:Dequantization",
        results=results,
        skipped=skipped,
    )


def samples(*pairs: tuple[float, float], allowed: float = 3e-12) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            index=index,
            reported=reported,
            exact=exact,
            difference=reported - exact,
            allowed=allowed,
        )
        for index, (reported, exact) in enumerate(pairs)
    )


def line(
    number: int, function: str, text: str, exact: float | None, reported: float | None
) -> LedgerLine:
    return LedgerLine(
        direction="forward",
        file="deq.py",
        line=number,
        function=function,
        text=text,
        exact=exact,
        reported=reported,
        exact_total=-55.3462,
        reported_total=27.8315,
    )


SUBLAYER = SublayerLine(
    direction="forward",
    sublayer="layers[1]",
    type="Scale",
    exact=-5.5,
    reported=2.0,
    is_wrong=True,
)
PASSED = Check(
    name="ldj",
    direction="inverse",
    status="pass",
    wrt="input",
    shape=(1, 4, 4),
    dims=16,
    dtype="float64",
    tolerance=3e-12,
    worst=2e-15,
    method="reverse",
    samples=samples((55.3462, 55.3462), (60.1846, 60.1846)),
)
ROUND_TRIP = Check(
    name="round-trip", direction=None, status="pass", worst=0.0, tolerance=1e-9
)
CONTRACT = Check(name="contract", direction=None, status="pass")
FAILED = dataclasses.replace(
    PASSED,
    direction="forward",
    status="fail",
    wrt="noise",
    worst=83.1777,
    samples=samples((27.8315, -55.3462), (22.9931, -60.1846), (27.1462, -56.0315)),
)

MUTATED = Finding(
    code="LDJ205",
    name="incoming-ldj-mutated",
    severity="note",
    message="`ldj` is changed in place; the tensor you pass is altered.",
    evidence=("It was 0.7 before the call and -54.6 after it.",),
)
DIMS_FACTOR = Finding(
    code="LDJ101",
    name="missing-dims-factor",
    severity="error",
    direction="forward",
    message="The log-determinant counts log(quants) once, not once per dimension.",
    evidence=("Largest deviation from that law: 7e-15.",),
    also_fits=("LDJ105",),
    law=Law(
        expression="(dims - 1) * log(self.quants)",
        points=(
            LawPoint(dims=1, difference=0.0),
            LawPoint(dims=4, difference=16.6355),
            LawPoint(dims=9, difference=44.3614),
            LawPoint(dims=16, difference=83.1777),
        ),
    ),
    bits_per_dim=7.9898,
    location=Location(
        file="deq.py",
        line=41,
        column=9,
        function="dequant",
        text="        ldj -= np.log(self.quants)",
    ),
    fix=Fix(
        applicability="verified",
        residual_after=2e-15,
        edits=(
            Edit(
                file="deq.py",
                line=41,
                before="        ldj -= np.log(self.quants)",
                after="        ldj -= np.log(self.quants) * np.prod(z.shape[1:])",
            ),
        ),
    ),
)

FAIL = Result(
    target="deq.py:Dequantization",
    layer="Dequantization()",
    status="fail",
    convention="accumulator",
    kind="dequantization",
    inferred={
        "convention": "accumulator: the parameter 'ldj' takes a running total",
        "shape": "(1, 4, 4), the usual image",
    },
    seconds=0.4,
    checks=(FAILED, PASSED, ROUND_TRIP, CONTRACT),
    ledger=(
        line(39, "dequant", "z = z + torch.rand_like(z)", 0.0, None),
        line(40, "dequant", "z = z / self.quants", -88.7228, None),
        line(41, "dequant", "ldj -= np.log(self.quants)", None, -5.5452),
        line(
            33,
            "sigmoid",
            "ldj += (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])",
            None,
            33.3767,
        ),
        line(34, "sigmoid", "z = torch.log(z) - torch.log(1 - z)", 33.3767, None),
    ),
    findings=(DIMS_FACTOR, MUTATED),
)
PASS = dataclasses.replace(
    FAIL,
    status="pass",
    checks=(
        dataclasses.replace(PASSED, direction="forward", wrt="noise"),
        Check(name="ldj", direction="inverse", status="not-available"),
        ROUND_TRIP,
        CONTRACT,
    ),
    ledger=(),
    findings=(MUTATED,),
)
TWO_MISTAKES = Result(
    target="deq.py",
    layer="Dequantization()",
    status="fail",
    checks=(
        FAILED,
        dataclasses.replace(
            PASSED,
            status="fail",
            samples=samples((1.0, 1.00004), (float("nan"), -2.0)),
        ),
        ROUND_TRIP,
    ),
    findings=(
        dataclasses.replace(
            DIMS_FACTOR, law=None, also_fits=(), fix=None, bits_per_dim=None
        ),
        Finding(
            code="LDJ110",
            name="missing-term",
            severity="error",
            direction="inverse",
            message="The inverse leaves out log(1 - alpha).",
            evidence=("The step at line 52 has no term.",),
            location=Location(file="flows.ipynb", cell=4, line=52),
        ),
    ),
)
SUGGESTED = dataclasses.replace(
    FAIL,
    ledger=(),
    findings=(
        dataclasses.replace(
            DIMS_FACTOR,
            fix=Fix(
                applicability="suggested",
                residual_after=None,
                edits=(
                    Edit(file="base.py", line=7, before="    return y, 0", after=""),
                ),
            ),
        ),
    ),
)
UNTRACKED = dataclasses.replace(
    PASS,
    findings=(
        Finding(
            code="LDJ303",
            name="inverse-ldj-untracked",
            severity="warning",
            direction="inverse",
            message="The inverse hands back the ldj that it is given.",
        ),
    ),
)
STRICT = dataclasses.replace(
    PASS,
    status="fail",
    findings=(dataclasses.replace(MUTATED, severity="warning"),),
)
WITHOUT_SAMPLES = dataclasses.replace(
    FAIL,
    checks=(dataclasses.replace(ROUND_TRIP, status="fail", worst=0.53),),
    findings=(
        Finding(
            code="LDJ301",
            name="inverse-mismatch",
            severity="error",
            direction="inverse",
            message="inverse(f(x)) is not x.",
        ),
    ),
)
RAISED = dataclasses.replace(
    FAIL, checks=(FAILED, Check(name="ldj", direction="inverse", status="error"))
)
UNPROVEN = Result(
    target="coupling.py:Coupling(\n    hidden=8)",
    layer="Coupling(hidden=8)",
    status="unproven",
    checks=(
        Check(
            name="ldj",
            direction="forward",
            status="unproven",
            shape=(4,),
            worst=0.0,
            tolerance=1e-12,
        ),
    ),
    findings=(
        Finding(
            code="LDJ401",
            name="vacuous-check",
            severity="unproven",
            message="As initialised this layer is the identity, so ldj = 0 is right "
            "whatever your formula says.",
            evidence=("Drop --params as-is: moved parameters are then checked.",),
        ),
    ),
)
ERROR = Result(
    target="flows.ipynb:Coupling",
    layer=None,
    status="error",
    findings=(
        Finding(
            code="LDJ003",
            name="needs-arguments",
            severity="error",
            message="Coupling cannot be built: it needs network and mask.",
            evidence=(
                "Coupling(network, mask)            cell 27, line 3",
                "",
                "Write the call as you would in the notebook:",
                "  ldjcheck 'flows.ipynb:Coupling(Net(4), mask(4))'",
            ),
        ),
    ),
)


# --- any run at all ------------------------------------------------------------

LONG_WORD = "averylongname" * 12
TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "z = z / self.quants",
            "x" * 300,
            "한국어 " * 40,
            "流" * 90,
            "\x1b[31mred\x1b[0m\r\n\tindented\n    more",
            f"a message with {LONG_WORD} and " + "more words " * 60,
            f"/home/{LONG_WORD}/flows.py",
            "e\u0301" * 100,
            "\u202ebackwards\ud800",
        ]
    ),
)
NUMBER = st.one_of(
    st.floats(),
    st.sampled_from([0.0, 1e-300, -4e-5, 83.1777, 1e9, -1e300, 123456.789]),
)
COUNT = st.integers(0, 10**6)
SHAPE = st.lists(st.integers(1, 4096), max_size=40).map(tuple)
CODE = st.integers(0, 599).map("LDJ{:03}".format)


def literal(alias: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(alias))


def tuples(strategy: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=most).map(tuple)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


SAMPLE = st.builds(
    Sample,
    index=COUNT,
    reported=maybe(NUMBER),
    exact=NUMBER,
    difference=maybe(NUMBER),
    allowed=NUMBER,
)
CHECK = st.builds(
    Check,
    name=literal(words.CheckName),
    direction=maybe(literal(records.Direction)),
    status=literal(words.CheckStatus),
    wrt=maybe(literal(records.Wrt)),
    shape=maybe(SHAPE),
    dims=maybe(COUNT),
    dtype=maybe(TEXT),
    tolerance=maybe(NUMBER),
    worst=maybe(NUMBER),
    method=maybe(literal(words.Method)),
    samples=tuples(SAMPLE, 14),
    dimensions=tuples(
        st.builds(
            of_results.Dimension, index=COUNT, exact=NUMBER, reported=maybe(NUMBER)
        ),
        40,
    ),
    structure=maybe(literal(records.Structure)),
    smallest_failing=maybe(SHAPE),
)
LEDGER_LINE = st.builds(
    LedgerLine,
    direction=literal(records.Direction),
    file=TEXT,
    line=COUNT,
    function=TEXT,
    text=TEXT,
    exact=maybe(NUMBER),
    reported=maybe(NUMBER),
    exact_total=NUMBER,
    reported_total=NUMBER,
)
SUBLAYER_LINE = st.builds(
    SublayerLine,
    direction=literal(records.Direction),
    sublayer=maybe(TEXT),
    type=TEXT,
    exact=NUMBER,
    reported=NUMBER,
    is_wrong=st.booleans(),
)
LOCATION = st.builds(
    Location,
    file=TEXT,
    line=COUNT,
    column=maybe(COUNT),
    function=maybe(TEXT),
    text=maybe(TEXT),
    cell=maybe(COUNT),
)
LAW = st.builds(
    Law,
    expression=TEXT,
    points=tuples(st.builds(LawPoint, dims=COUNT, difference=NUMBER), 9),
)
FIX = st.builds(
    Fix,
    applicability=st.sampled_from(["verified", "suggested"]),
    residual_after=maybe(NUMBER.map(abs)),
    edits=tuples(st.builds(Edit, file=TEXT, line=COUNT, before=TEXT, after=TEXT), 2),
)
FINDING = st.builds(
    Finding,
    code=CODE,
    name=TEXT,
    severity=literal(records.Severity),
    message=TEXT,
    direction=maybe(literal(records.Direction)),
    evidence=tuples(TEXT, 3),
    also_fits=tuples(CODE, 20),
    law=maybe(LAW),
    bits_per_dim=maybe(NUMBER),
    location=maybe(LOCATION),
    fix=maybe(FIX),
)
RESULT = st.builds(
    Result,
    target=TEXT,
    layer=maybe(TEXT),
    status=literal(records.Status),
    convention=maybe(TEXT),
    kind=maybe(literal(records.Kind)),
    inferred=st.dictionaries(TEXT, TEXT, max_size=6),
    seconds=st.floats(0, 1e6),
    checks=tuples(CHECK, 4),
    sublayers=tuples(SUBLAYER_LINE, 20),
    ledger=tuples(LEDGER_LINE, 30),
    findings=tuples(FINDING, 3),
    again=maybe(TEXT.map(lambda text: f"check({text!r}, shape=(4, 4, 4))")),
)
RUN = st.builds(
    Run,
    seed=COUNT,
    exit_code=st.integers(0, 4),
    seconds=st.floats(0, 1e6),
    command=TEXT,
    results=tuples(RESULT, 2),
    skipped=tuples(st.builds(Skipped, target=TEXT, why=TEXT), 9),
)
