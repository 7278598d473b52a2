"""The grader's side of a confined process: a job, a conversation, and how it ended."""

from __future__ import annotations

import json
import math
import os
import queue
import secrets
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, cast

from ldjcheck.grading.confined import LONGEST, BrokenChannelError, read, written
from ldjcheck.grading.sandbox import Limits
from ldjcheck.grading.sandbox.measured import Enforced

T = TypeVar("T")

_GLANCE = 0.25  # seconds between two looks at what a process has written
_KEPT = 4000  # characters of what it printed
_PACKAGE = Path(__file__).parents[2]
_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/urandom", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo",
    "/sys/devices/system/cpu",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a confined process is to do, in which folder, and how much it may use."""

    name: str
    folder: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Generic[T]):
    """What a conversation came to; `why` says in words why it came to nothing."""

    value: T | None = None
    why: str | None = None
    printed: str = ""


class Conversation:
    """Messages to and from a confined process, for as long as it keeps its limits.

    Its time is `timed` here only where nobody else ends it when that is over.
    """

    def __init__(
        self, job: Job, word: str, incoming: IO[bytes], outgoing: IO[bytes],
        output: IO[bytes], *, timed: bool,
    ) -> None:  # fmt: skip
        self._job, self._word = job, word
        self._deadline = time.monotonic() + job.limits.seconds if timed else math.inf
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._questions: queue.Queue[bytes | None] = queue.Queue()
        self._printed, self._count = bytearray(), 0
        # Threads, since nothing here may wait for a process that does not read or write.
        ends = ((self._listen, incoming), (self._drain, output), (self._say, outgoing))
        self._threads = [
            threading.Thread(target=each, args=(file,), daemon=True)
            for each, file in ends
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, question: Any) -> Any:
        """Return the answer to a question.

        Raises:
            BrokenChannelError: there is none.
        """
        self.tell(question)
        return self.hear()

    def tell(self, message: Any) -> None:
        """Send a message."""
        self._questions.put(written(self._word, message))

    def hear(self) -> Any:
        """Return the next message.

        Raises:
            BrokenChannelError: none comes, the time is over, or a limit is passed.
        """
        while True:
            left = self._deadline - time.monotonic()
            try:
                line = self._lines.get(timeout=max(0.0, min(_GLANCE, left)))
            except queue.Empty:
                if left <= 0:
                    raise TimeoutError from None
                self._within_limits()
                continue
            self._within_limits()
            if not line:
                raise BrokenChannelError("")
            return read(self._word, line)

    def close(self) -> str:
        """Return what was printed, after the process has ended."""
        self._questions.put(None)
        for thread in self._threads:
            thread.join(1.0)
        return self._printed.decode("utf-8", "replace")

    def _within_limits(self) -> None:
        limits = self._job.limits
        if self._count > limits.output:
            raise BrokenChannelError(f"it printed more than {limits.output} bytes")
        if _size(self._job.folder) > limits.disk:
            raise BrokenChannelError(f"it wrote more than {limits.disk} bytes to files")

    def _listen(self, incoming: IO[bytes]) -> None:
        with incoming, suppress(OSError, ValueError):
            while line := incoming.readline(LONGEST):
                self._lines.put(line)
        self._lines.put(b"")

    def _say(self, outgoing: IO[bytes]) -> None:
        # closing flushes, which fails once more where the process is gone
        with suppress(OSError, ValueError), outgoing:
            while (message := self._questions.get()) is not None:
                outgoing.write(message)
                outgoing.flush()

    def _drain(self, output: IO[bytes]) -> None:
        with output, suppress(OSError, ValueError):
            while block := output.read1(2**16):  # type: ignore[attr-defined]  # it is buffered
                self._count += len(block)
                self._printed += block[: max(0, _KEPT - len(self._printed))]


def _size(folder: str) -> int:
    """Return the bytes in a folder's files; what vanishes meanwhile counts nothing."""
    total = 0
    for up, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(up, name)).st_size
    return total


class WardenClosedError(Exception):
    """Grading was interrupted: nothing more is started."""


class Warden:
    """Starts confined processes one at a time, from a server that has torch loaded.

    Args:
        forks: whether the server forks for each job, or a new process is started, which
            has to load torch again. By default what the system can do.
    """

    def __init__(self, *, forks: bool | None = None) -> None:
        can = hasattr(os, "fork") and hasattr(socket, "recv_fds")
        self._forks = can if forks is None else forks
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def __enter__(self) -> Warden:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, and with it whatever it started; for good."""
        self._closed = True
        self._end_server()

    def _end_server(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def run(self, job: Job, talk: Callable[[Conversation], T]) -> Ended[T]:
        """Return what a conversation with a process that does the job came to.

        The process is gone when this returns, and so is what it started.

        Raises:
            WardenClosedError: there is no warden any more.
        """
        if self._closed:
            raise WardenClosedError
        word = secrets.token_hex(16)
        sent = {
            "word": word,
            "name": job.name,
            "folder": job.folder,
            "readable": readable_files(),
            "seconds": job.limits.seconds,
            "memory": job.limits.memory,
            "disk": job.limits.disk,
        }
        process = self._forked if self._forks else self._started
        with process(sent) as (incoming, outgoing, output, end):
            ends = incoming, outgoing, output
            said = Conversation(job, word, *ends, timed=not self._forks)
            said.tell(dict(job.arguments))
            value, why, timed_out = None, None, False
            try:
                value = talk(said)
            except TimeoutError:
                timed_out = True
            except BrokenChannelError as error:
                why = str(error)
            how = end()
            printed = said.close()
        if timed_out or how["timed_out"]:
            why = f"no answer within {job.limits.seconds:g} seconds"
            return Ended(why=why, printed=printed)
        if self._closed:
            raise WardenClosedError
        if why == "":
            left = how["how"] == "done"
            why = "it ended before it had answered" if left else how["how"]
        return Ended(value=value, why=why, printed=printed)

    # --- how a process is started -----------------------------------------------------

    @contextmanager
    def _forked(self, job: Mapping[str, Any]) -> Iterator[_Ends]:
        control = self._control or self._start_server()
        theirs_in, to_it = os.pipe()
        from_it, theirs_out = os.pipe()
        printed, theirs_print = os.pipe()
        theirs = (theirs_in, theirs_out, theirs_print)
        try:
            socket.send_fds(control, [json.dumps(job).encode()], theirs)
        finally:
            for file in theirs:
                os.close(file)

        def end() -> Mapping[str, Any]:
            try:
                control.sendall(b".")
                return dict(json.loads(_line(control)))
            except (OSError, ValueError):  # the server itself was ended
                self._end_server()
                return {
                    "how": "the process that started it was ended",
                    "timed_out": False,
                }

        yield (
            os.fdopen(from_it, "rb"), os.fdopen(to_it, "wb"), os.fdopen(printed, "rb"), end
        )  # fmt: skip

    def _start_server(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                _program("serve"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
                cwd=tempfile.gettempdir(),
                start_new_session=True,  # a Ctrl-C is the grader's alone
            )
        if _line(ours) != b"ready":
            _, told = self._server.communicate()
            raise RuntimeError(told.decode("utf-8", "replace"))
        self._control = ours
        return ours

    @contextmanager
    def _started(self, job: Mapping[str, Any]) -> Iterator[_Ends]:
        process = subprocess.Popen(
            _program("once"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd=job["folder"],
        )
        pipes = process.stdin, process.stdout, process.stderr
        stdin, stdout, stderr = (cast("IO[bytes]", pipe) for pipe in pipes)
        with suppress(OSError):
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()

        def end() -> Mapping[str, Any]:
            from ldjcheck.session.isolation import how_it_ended

            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.kill()
            code = process.wait()
            return {"how": how_it_ended(code) if code else "done", "timed_out": False}

        try:
            yield stdout, stdin, stderr, end
        finally:
            process.kill()


_Ends = tuple[IO[bytes], IO[bytes], IO[bytes], "Callable[[], Mapping[str, Any]]"]


def _line(control: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        block = control.recv(2**16)
        if not block:
            return b""
        line += block
    return line.strip()


def _program(name: str) -> list[str]:
    """Return the command that runs a function of the server, with our own packages."""
    paths = [str(_PACKAGE.parent), *_packages()]
    start = f"import sys; sys.path[:0] = {paths!r}; "
    code = f"from ldjcheck.grading.confined.fork_server import {name}; {name}()"
    return [sys.executable, "-I", "-c", start + code]


def _packages() -> list[str]:
    """Return the folders in which packages are installed."""
    named = [sysconfig.get_paths()[name] for name in ("purelib", "platlib")]
    if site.ENABLE_USER_SITE:
        named.append(site.getusersitepackages())
    return list(dict.fromkeys(named))


def _environment() -> dict[str, str]:
    """Return what a confined process sees of the environment: no one's secrets."""
    kept = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "MKL_CBWR", "ATEN_CPU_CAPABILITY")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return {
        **own,
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
    }


def readable_files() -> list[str]:
    """Return what a confined process may read besides its own folder: what it runs on."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, *_packages()}
    prefixes |= {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")}
    return [*_SYSTEM, str(_PACKAGE), *sorted(prefixes)]


def enforced_here(warden: Warden, limits: Limits) -> Enforced:
    """Return what the confinement holds back on this system, by letting a process try."""
    with (
        tempfile.TemporaryDirectory(prefix="ldjcheck-grade-") as own,
        tempfile.TemporaryDirectory(prefix="ldjcheck-trap-") as trap,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        Path(trap, "secret").write_text("secret", encoding="utf-8")
        arguments = {
            "port": listening.getsockname()[1],
            "folder": trap,
            "process": os.getpid(),
            "memory": limits.memory,
        }
        job = Job(name="attempt", folder=own, arguments=arguments, limits=limits)
        done = warden.run(job, lambda said: said.hear())
    could = done.value or {}
    return Enforced(**{name: could.get(name) is False for name in Enforced.__slots__})
