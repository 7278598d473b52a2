from __future__ import annotations

import io
import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from ldjcheck import api
from ldjcheck.records import Layer, Options, Result
from ldjcheck.session.targets import Request, Session, exit_status, run_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from ldjcheck.records import Status

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the stand-in checker cannot be sent to a process"
)

LAYERS = """
    import os, sys, time

    class Sound:
        def forward(self):
            return "pass"

    class Wrong(Sound):
        def forward(self):
            return "fail"

    class Raises(Sound):
        def forward(self):
            raise RuntimeError("no")

    class Leaves(Sound):
        def forward(self):
            sys.exit(5)

    class Interrupts(Sound):
        def forward(self):
            raise KeyboardInterrupt

    class Greedy(Sound):
        def forward(self):
            raise MemoryError("no room")

    class Dies(Sound):
        def forward(self):
            os._exit(7)

    class Hangs(Sound):
        def forward(self):
            time.sleep(60)

    class FailsAndHangs(Sound):
        slow = True

        def forward(self):
            return "fail"

    class RightAndHangs(Sound):
        slow = True

    width = 3
"""


def check_layer(
    layer: Layer,
    options: Options,
    started: float | None = None,
    tell: Callable[[Result | str], None] | None = None,
) -> Result:
    """Stand in for the real check: the layer itself says how it comes out."""
    status = layer.obj.forward()
    inferred = {"kwarg": repr(options.kwarg)}
    result = Result(
        target=layer.target, layer=layer.name, status=status, inferred=inferred
    )
    if hasattr(layer.obj, "slow"):
        assert tell is not None
        tell(result)
        if status == "pass":
            tell("looking further")
        time.sleep(60)
    return result


def why_no_flow(*_: object) -> None:
    """Everything that is found is a flow layer here."""


def without_untaken(layer: Layer, options: Options) -> tuple[Options, dict[str, str]]:
    """Sound layers take `a` and `b`, all others nothing."""
    takes = {"a", "b"} if "Sound" in layer.name else set[str]()
    return options, {n: f"no {n}" for n, _ in options.kwarg if n not in takes}


@pytest.fixture
def run(
    write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Session]:
    """Run a session over classes of the module above."""
    monkeypatch.chdir(write("flows.py", LAYERS).parent)
    for stand_in in (check_layer, why_no_flow, without_untaken):
        monkeypatch.setattr(api, stand_in.__name__, stand_in)

    def run(
        *names: str,
        timeout: float = 30.0,
        kwargs: tuple[tuple[str, str], ...] = (),
        waiting: TextIO | None = None,
    ) -> Session:
        return run_session(
            [f"flows.py:{name}" for name in names],
            Request(options=Options(seed=11), kwargs=kwargs),
            timeout=timeout,
            command="ldjcheck",
            waiting=waiting,
        )

    return run


def codes(session: Session) -> list[str | None]:
    return [
        result.findings[0].code if result.findings else None
        for result in session.run.results
    ]


def test_every_target_has_its_result_in_order(run: Callable[..., Session]) -> None:
    run_ = run("Sound", "Wrong", "Sound").run
    assert [result.target for result in run_.results] == [
        "flows.py:Sound",
        "flows.py:Wrong",
        "flows.py:Sound",
    ]
    assert [result.status for result in run_.results] == ["pass", "fail", "pass"]
    assert (run_.seed, run_.exit_code, run_.command) == (11, 1, "ldjcheck")


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("Nothing", "LDJ002", "There is no Nothing in flows.py."),
        ("Leaves", "LDJ005", "sys.exit(5)"),
        ("Interrupts", "LDJ005", "KeyboardInterrupt"),
        ("Greedy", "LDJ007", "no room"),
        ("Dies", "LDJ005", "exit code 7"),
    ],
)
def test_a_target_that_cannot_be_checked_leaves_the_others_unharmed(
    run: Callable[..., Session], name: str, code: str, told: str
) -> None:
    session = run(name, "Sound")
    assert codes(session) == [code, None]
    assert told in session.run.results[0].findings[0].message
    assert session.run.results[1].status == "pass"
    assert session.run.exit_code == 2
    assert session.faults == ()


def test_a_target_that_hangs_is_given_up(run: Callable[..., Session]) -> None:
    session = run("Hangs", "Sound", timeout=1.0)
    assert codes(session) == ["LDJ007", None]
    hung, sound = session.run.results
    assert "1 seconds" in hung.findings[0].message
    assert "--timeout 2" in hung.findings[0].evidence[-1]
    assert "time.sleep(60)" in "\n".join(hung.findings[0].evidence)
    assert 1.0 <= hung.seconds < 10.0
    assert sound.status == "pass"


def test_a_target_that_is_known_to_fail_before_its_time_is_over_fails(
    run: Callable[..., Session],
) -> None:
    session = run("FailsAndHangs", "Sound", timeout=1.0)
    failed, sound = session.run.results
    assert failed.status == "fail"
    assert failed.not_done == ("all else: stopped after 1 seconds",)
    assert 1.0 <= failed.seconds < 10.0
    assert sound.status == "pass"
    assert session.run.exit_code == 1


def test_a_target_that_is_right_before_it_hangs_is_unproven(
    run: Callable[..., Session],
) -> None:
    (unproven,) = run("RightAndHangs", timeout=1.0).run.results
    assert unproven.status == "unproven"
    told = "all else: stopped after 1 seconds while looking further"
    assert unproven.not_done == (told,)


@pytest.mark.slow
def test_who_waits_at_a_terminal_is_told_what_is_being_done(
    run: Callable[..., Session],
) -> None:
    waiting = io.StringIO()
    run("RightAndHangs", "Sound", timeout=2.5, waiting=waiting)
    written = waiting.getvalue()
    assert re.search(r"RightAndHangs: looking further, [12] s, 1 s left", written)
    assert all(len(line) <= 79 for line in written.split("\r"))
    assert written.endswith("\r")  # the line is taken away


def test_a_fault_of_the_checker_is_told_apart(run: Callable[..., Session]) -> None:
    session = run("Raises", "Sound")
    assert session.run.exit_code == 4
    assert "RuntimeError: no" in session.faults[0]
    assert [result.status for result in session.run.results] == ["error", "pass"]


def test_keyword_arguments_are_evaluated_in_the_source(
    run: Callable[..., Session],
) -> None:
    session = run("Sound", kwargs=(("a", "width + 1"), ("b", "'text'")))
    assert session.run.results[0].inferred["kwarg"] == "(('a', 4), ('b', 'text'))"


@pytest.mark.parametrize(
    ("names", "misused"),
    [
        (("Sound",), "no c"),
        (("Sound", "Wrong"), "no c"),
        (("Wrong", "Leaves"), "no a"),
        (("Missing",), None),  # nobody knows what it takes
    ],
)
def test_an_argument_that_no_layer_takes_is_told(
    run: Callable[..., Session], names: tuple[str, ...], misused: str | None
) -> None:
    assert run(*names, kwargs=(("a", "1"), ("c", "2"))).misused == misused


def test_a_keyword_argument_that_does_not_exist_is_told(
    run: Callable[..., Session],
) -> None:
    assert codes(run("Sound", kwargs=(("a", "widht"),))) == ["LDJ002"]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["pass"], 0),
        (["fail"], 1),
        (["error"], 2),
        (["unproven"], 3),
        (["pass", "unproven"], 3),
        (["unproven", "fail"], 1),
        (["fail", "error"], 2),
        (["unproven", "fail", "error", "pass"], 2),
    ],
)
def test_the_exit_status_is_the_gravest(statuses: list[Status], code: int) -> None:
    results = [Result(target="", layer=None, status=status) for status in statuses]
    assert exit_status(results) == code
    assert exit_status(results, is_faulty=True) == 4
