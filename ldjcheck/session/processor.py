"""How much of its time a process computed, waited for a processor, or did nothing at all.

Linux tells it of each thread; of what cannot be read nothing is known.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple


class Share(NamedTuple):
    """What a thread had of its time, in seconds: it `ran`, or `waited` while others did."""

    ran: float
    waited: float


class Spent:
    """The seconds of its limit that a process has used, looked at again and again.

    That is the CPU time of its first thread, which deadlines count as well, and by the
    clock the time in which no thread of it ran or waited for a processor: it hangs.
    What else the machine does takes none of it. Where nothing can be read, it is the
    time by the clock.
    """

    def __init__(self, process: int) -> None:
        self.seconds = 0.0
        self._process = process
        self._looked = time.monotonic()
        self._shares: dict[int, Share] = {}
        self._idle = 0.0  # without a break, up to now

    def look(self) -> float:
        """Return how many seconds it has used until now."""
        now, shares = time.monotonic(), shares_of(self._process)
        gone = {thread: self._since(thread, share) for thread, share in shares.items()}
        first = gone.get(self._process, Share(0.0, 0.0))
        idle = now - self._looked - sum(ran + waited for ran, waited in gone.values())
        # A wait is told of when it is over: what looked idle before is taken back.
        idle = max(idle, -self._idle)
        self._idle = self._idle + idle if idle > 0 else 0.0
        self.seconds += first.ran + idle
        self._looked, self._shares = now, shares
        return self.seconds

    def _since(self, thread: int, share: Share) -> Share:
        before = self._shares.get(thread, Share(0.0, 0.0))
        return Share(share.ran - before.ran, share.waited - before.waited)


def shares_of(process: int) -> dict[int, Share]:
    """Return what each thread of a process had so far; nothing of one that is gone."""
    found = {}
    for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            ran, waited = map(int, thread.read_bytes().split()[:2])
        except (OSError, ValueError):  # it ended meanwhile
            continue
        found[int(thread.parent.name)] = Share(ran / 1e9, waited / 1e9)
    return found
