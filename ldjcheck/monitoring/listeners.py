"""Who hears of a look: a function, the log, a warning, an exception, TensorBoard."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from ldjcheck.monitoring.look import Look
from ldjcheck.testing.exceptions import LdjError, LdjMismatch


@runtime_checkable
class ScalarWriter(Protocol):
    """What takes numbers by name and step, as `SummaryWriter` of TensorBoard does."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any:
        """Write one number."""


Listener = Callable[["Look"], object]
Heard = Literal["log", "warn", "raise"] | ScalarWriter | Listener
On = Heard | Sequence[Heard]

_WRONG = ("fail", "error")


def listeners(on: On) -> tuple[Listener, ...]:
    """Return the functions that are to hear of each look.

    Raises:
        ValueError: one of them is none.
    """
    if isinstance(on, Sequence) and not isinstance(on, str):
        return tuple(listener for each in on for listener in listeners(each))
    if isinstance(on, str) and on in _BY_NAME:
        return (_BY_NAME[on],)
    if isinstance(on, ScalarWriter):
        return (_written_by(on),)
    if callable(on):
        return (on,)
    names = ", ".join(map(repr, _BY_NAME))
    raise ValueError(
        f"on={on!r}: it is one of {names}, a function of a look, a SummaryWriter, or a "
        "list of these."
    )


def _log(look: Look) -> None:
    level = logging.WARNING if look.status in _WRONG else logging.INFO
    logging.getLogger("ldjcheck").log(level, "%s", look)


def _warn(look: Look) -> None:
    if look.status in _WRONG:
        warnings.warn(str(look), RuntimeWarning, stacklevel=3)  # at the user's `step`


def _raise(look: Look) -> None:
    if look.status == "fail":
        raise LdjMismatch(str(look), look.report)
    if look.status == "error":
        raise LdjError(str(look), look.report)


_BY_NAME: dict[str, Listener] = {"log": _log, "warn": _warn, "raise": _raise}


def _written_by(writer: ScalarWriter) -> Listener:
    def write(look: Look) -> None:
        for name, value in look.metrics.items():
            writer.add_scalar(name, value, look.step)

    return write
