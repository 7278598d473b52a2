"""What grader and confined process say to each other: lines of JSON, each with a word.

Nothing is unpickled: what comes from a confined process is foreign, and can be anything.
The word is known to who was given it before foreign code ran. It keeps out what is written
into a file that happens to be open; whoever searches the process's memory finds it, so no
message is proof of anything by itself.
"""

import json
import math
from typing import IO, Any

LONGEST = 2**23  # bytes of one message


class BrokenChannelError(Exception):
    """What came is no message, or none will come any more; the text says which."""


def written(word: str, message: Any) -> bytes:
    """Return a message as it is sent."""
    return f"{word} {json.dumps(message)}\n".encode()


def read(word: str, line: bytes) -> Any:
    """Return the message of a line.

    Raises:
        BrokenChannelError: it is none.
    """
    start = f"{word} ".encode()
    if not line.startswith(start) or not line.endswith(b"\n"):
        raise BrokenChannelError("something else was written into its channel")
    try:
        return json.loads(line[len(start) :], parse_int=_whole)
    except (ValueError, RecursionError):
        raise BrokenChannelError("what it sent cannot be read") from None


def _whole(text: str) -> float:
    """Return a number; one with thousands of digits takes no time."""
    return int(text) if len(text) < 19 else math.nan


class Channel:
    """The end that is in the confined process."""

    def __init__(self, word: str, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._word, self._incoming, self._outgoing = word, incoming, outgoing

    def send(self, message: Any) -> None:
        """Send what JSON can hold; NaN and infinities are its usual extension."""
        self._outgoing.write(written(self._word, message))
        self._outgoing.flush()

    def receive(self) -> Any:
        """Return the next message; None when none will come any more."""
        line = self._incoming.readline(LONGEST)
        return read(self._word, line) if line else None
