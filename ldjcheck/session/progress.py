"""The line that says what is being done, for people who wait at a terminal."""

import time
from typing import TextIO

_SILENT = 1.0  # seconds: who gets an answer by then needs no line
_WIDTH = 79
_CLEAR = "\r" + " " * _WIDTH + "\r"


class ProgressLine:
    """A line that is written over itself, and away once there is an answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._shown = ""

    def show(self, target: str, doing: str | None, left: float) -> None:
        """Show what is being done, since when and for how long yet, where it takes a while."""
        spent = time.monotonic() - self._begun
        if spent < _SILENT:
            return
        what = f"{doing or 'loading it'}, {spent:.0f} s, {left:.0f} s left"
        room = max(_WIDTH - len(what) - 2, 8)
        target = target.encode("ascii", "replace").decode()
        if len(target) > room:
            target = "..." + target[3 - room :]
        text = f"{target}: {what}"[:_WIDTH]
        if text != self._shown:
            self._stream.write("\r" + text.ljust(_WIDTH))
            self._stream.flush()
            self._shown = text

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._shown = ""
