"""Which of the user's functions run in a call, and what they return."""

from types import CodeType, FrameType
from typing import Any

from ldjcheck.records import Direction, Probe
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome
from ldjcheck.tape.frames import is_users
from ldjcheck.tracing import trace_calls

Returns = list[tuple[CodeType, Any]]


def run_at(
    bench: Bench, probe: Probe, direction: Direction
) -> tuple[Outcome | None, Returns]:
    """Return what one call comes to, and each function that ran with what it returned.

    In the order in which they end, the outermost last; no outcome where the layer raises.
    """
    ended: Returns = []

    def hears(frame: FrameType, event: str, result: Any) -> None:
        says = event == "return" and result is not None
        if says and is_users(frame.f_code.co_filename):
            ended.append((frame.f_code, result))

    runner, x, _ = bench.ready(probe)
    try:
        with trace_calls(hears):
            outcome = runner.run(direction, x, Frozen())
    except FailedCallError:
        return None, ended
    return outcome, ended
