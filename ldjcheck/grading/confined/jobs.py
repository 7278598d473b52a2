"""What a confined process can be asked to do, by name.

Each is a function of the channel and of its arguments; its module is imported where it is
called, since only some need torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ldjcheck.grading.confined.channel import Channel

if TYPE_CHECKING:
    Work = Callable[[Channel, Mapping[str, Any]], None]


def _attempt(channel: Channel, arguments: Mapping[str, Any]) -> None:
    from ldjcheck.grading.sandbox.measured import attempt

    channel.send(attempt(arguments))


def _look(channel: Channel, arguments: Mapping[str, Any]) -> None:
    from ldjcheck.grading.confined.looking import look

    channel.send(look(arguments["files"]))


def _answer(channel: Channel, arguments: Mapping[str, Any]) -> None:
    from ldjcheck.grading.confined.answering import answer

    answer(channel, arguments)


def _diagnose(channel: Channel, arguments: Mapping[str, Any]) -> None:
    from ldjcheck.grading.confined.diagnosing import diagnose

    diagnose(channel, arguments)


JOBS: dict[str, Work] = {
    "attempt": _attempt,
    "look": _look,
    "answer": _answer,
    "diagnose": _diagnose,
}
