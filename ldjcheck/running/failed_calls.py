"""How a call of a layer fails: it raises, or what comes back is no output."""

import re
from collections.abc import Callable
from functools import cached_property, wraps
from typing import ParamSpec, TypeVar

from ldjcheck.tracebacks import (
    advice_on,
    is_by_flags,
    is_by_statement,
    line_of,
    message_of,
    user_traceback,
    user_trail,
    without_numbers,
)

_ABOUT_SIZES = re.compile(
    r"\bsizes?\b|\bshapes?\b|dimension|\bchannels\b|\bmat[12]\b|missing \d+ required"
)
_DIRECTION = (
    r"(?:forward|backward|inverse|inverting|inversion|reverse|inv|sampling|sample)"
)
_REFUSED = re.compile(
    r"(?:\bnot|n't|\bcannot|\bno)\b\W+(?:[\w-]+\W+){0,2}?"
    r"(?:support|implement|available|provide|offer)|\bun(?:supported|available)\b",
    re.I,
)
_ELSEWHERE = re.compile(
    rf"\b(?:use|call|try)\W+(?:the\W+)?[\w.]*\b{_DIRECTION}\b", re.I
)
_OF_DIRECTION = re.compile(rf"\b{_DIRECTION}\b", re.I)
_OF_INPUTS = re.compile(r"\bd?types?\b|\bdevices?\b|\bfloat|\bint", re.I)
_CURT = 5  # words: so short a refusal is of the call itself
_CHAINED = 100  # errors, each raised while another was handled: no chain is longer


class FailedCallError(Exception):
    """A call of the layer came to nothing."""


class AbsentWayError(FailedCallError):
    """There is no such direction to call."""


class OtherSizeError(FailedCallError):
    """There is nothing to call it with: the user's own inputs are of another size."""


class LayerRaisedError(FailedCallError):
    """The layer raised.

    Args:
        error: what it raised.
        before: an earlier error, in whose handling the layer was called: not its own.
    """

    def __init__(
        self, error: BaseException, before: BaseException | None = None
    ) -> None:
        message = message_of(error)
        said = f": {message}" if message else ""
        super().__init__(f"{type(error).__name__}{said}")
        self.error = error
        _leave_out(before, error)

    @cached_property
    def trail(self) -> tuple[object, ...]:
        """What tells it from others: its words, and the user's lines on the way."""
        return without_numbers(str(self)), *user_trail(self.error)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The traceback as Python prints it, without a frame of ours, and what mends it."""
        return (*user_traceback(self.error), *advice_on(self.error))

    @property
    def line(self) -> int | None:
        """The user's line that raised, or that called what did."""
        return line_of(self.error)

    @property
    def has_advice(self) -> bool:
        """Whether it is a slip of which we know what mends it: no other input does."""
        return bool(advice_on(self.error))

    @property
    def means_absent(self) -> bool:
        """Whether the layer says that it does not offer this direction at all.

        By the type of what it raises; since a flag was set, and for nothing else; or in
        words, where its own code raises them, and they speak of the direction and not of
        what it was given.
        """
        name = type(self.error).__name__
        return (
            isinstance(self.error, NotImplementedError)
            or name.endswith(("NotAvailable", "NotImplemented", "NotSupported"))
            or is_by_flags(self.error)
            or (is_by_statement(self.error) and _is_refusal(message_of(self.error)))
        )

    @property
    def is_of_a_table(self) -> bool:
        """Whether a table has no row for a value: one of another size or domain may have."""
        return "is out of bounds" in str(self)

    @property
    def is_about_sizes(self) -> bool:
        """Whether what it was given has not the sizes, or not the parts, that it wants.

        Neither other values nor a call in training mend that. What a check of values
        says may well tell the shape of what it was given.
        """
        text = str(self)
        if isinstance(self.error, (ValueError, AssertionError)):
            return "to unpack" in text
        if self.is_of_a_table:
            return False
        return _ABOUT_SIZES.search(text) is not None


def _is_refusal(said: str) -> bool:
    """Return whether words refuse a direction, whatever is given."""
    if _OF_INPUTS.search(said) or _ABOUT_SIZES.search(said):
        return False
    if _ELSEWHERE.search(said):
        return True
    about_it = _OF_DIRECTION.search(said) or len(said.split()) <= _CURT
    return bool(about_it and _REFUSED.search(said))


def _leave_out(before: BaseException | None, error: BaseException) -> None:
    """Take an error apart from one that was being handled when the layer was called."""
    for _ in range(_CHAINED):
        if error.__context__ is None:
            return
        if error.__context__ is before:
            error.__context__ = None
            return
        error = error.__context__


class UnexpectedReturnError(FailedCallError):
    """The layer handed back something that holds no output tensor, or no ldj.

    Args:
        said: what it handed back.
        is_foreign: whether that is of a type of which no output is, at any shape.
        is_unwritten: whether it is None and nothing was computed, as by `pass`.
    """

    def __init__(
        self, said: str, *, is_foreign: bool = False, is_unwritten: bool = False
    ) -> None:
        super().__init__(said)
        self.is_foreign = is_foreign
        self.is_unwritten = is_unwritten


P = ParamSpec("P")
Answer = TypeVar("Answer")
Otherwise = TypeVar("Otherwise")


def on_failure(
    otherwise: Otherwise, *beside: type[Exception]
) -> Callable[[Callable[P, Answer]], Callable[P, Answer | Otherwise]]:
    """Decorate a question about a layer with its answer where a call comes to nothing.

    That is where the layer raises, or has no such direction, and after errors `beside`.
    """
    errors: tuple[type[Exception], ...] = (FailedCallError, *beside)

    def decorated(question: Callable[P, Answer]) -> Callable[P, Answer | Otherwise]:
        @wraps(question)
        def asked(*args: P.args, **kwargs: P.kwargs) -> Answer | Otherwise:
            try:
                return question(*args, **kwargs)
            except errors:
                return otherwise

        return asked

    return decorated
