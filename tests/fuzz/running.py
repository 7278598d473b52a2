"""One case, run; and what about it should not be so, in words."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import torch
from command import ldjcheck_in

import ldjcheck
import ldjcheck.api  # loaded once, for all forks

from . import touched
from .cases import Case, lay_out
from .layers import ACTS

OURS = f"{Path(ldjcheck.__file__).parent}{os.sep}"
SCHEMA = Path(__file__).parents[2] / "docs" / "result.schema.json"
MARGIN = 12.0  # seconds of a busy machine
HANGS = 90.0  # seconds after which a call of Python is given up


class Ran(NamedTuple):
    """What came of a case: the exit status or kind of end, and what should not be so."""

    outcome: str
    seconds: float
    findings: tuple[str, ...]


def run(case: Case) -> Ran:
    """Run a case in a folder of its own; once more where it was late, and no more than that.

    So it is where others use the machine.
    """
    ran = _run(case)
    was_late = ran.findings and all(each.startswith("late") for each in ran.findings)
    return _run(case) if was_late else ran


def _run(case: Case) -> Ran:
    with _scratch() as root:
        began = time.perf_counter()
        outcome, findings = (_command if case.face == "command" else _python)(
            case, root
        )
        return Ran(outcome, time.perf_counter() - began, tuple(findings))


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="ldjcheck-fuzz-")).resolve()
    try:
        yield root
    finally:
        for folder in (root, *root.rglob("*")):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)


# --- the command ---------------------------------------------------------------------


def arguments(case: Case, root: Path) -> list[str]:
    """Write the files of a case, and return what is typed."""
    typed = lay_out(case, root)
    limit = ["--timeout", f"{case.limit:g}"]
    if "report-bug" in case.command:
        limit += ["--limit", f"{case.limit:g}"]
    return [*case.command, *typed, *limit, *case.options]


def _command(case: Case, root: Path) -> tuple[str, list[str]]:
    typed = arguments(case, root)
    root.chmod(0o755)
    if case.is_read_only:
        for folder in (root, *(p for p in root.rglob("*") if p.is_dir())):
            folder.chmod(0o555)
    before, began = touched.files(root), time.perf_counter()
    ran = ldjcheck_in(root, *typed, as_owner=case.is_read_only)
    seconds = time.perf_counter() - began
    found = [
        *_ending(ran),
        *_documents(case, ran, root),
        *_of_folder(case, before, root),
    ]
    allowed = (
        case.limit * (1 + _how_many(ran)) * (3 if "report-bug" in case.command else 1)
    )
    if seconds > allowed + MARGIN:
        found.append(f"late: {seconds:.0f} s of {allowed:g}")
    if left := _processes_in(root):
        found.append(f"left behind: processes {left}")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    return f"exit {ran.returncode}", found


def _ending(ran: Any) -> Iterator[str]:
    if ran.returncode not in (0, 1, 2, 3):
        yield f"exit {ran.returncode}: {(ran.stderr or ran.stdout)[-1500:]}"
    elif OURS in ran.stdout or OURS in ran.stderr:
        shown = ran.stderr if OURS in ran.stderr else ran.stdout
        at = shown.index(OURS)
        yield f"a frame of ours is shown: {shown[max(0, at - 300) : at + 900]}"
    if ran.returncode and not (ran.stdout.strip() or ran.stderr.strip()):
        yield "it says nothing"


def _how_many(ran: Any) -> int:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return len(json.loads(ran.stdout)["results"])
    return 6


def _documents(case: Case, ran: Any, root: Path) -> Iterator[str]:
    """Yield what is wrong with the documents that were asked for."""
    pairs = zip(case.options, case.options[1:], strict=False)
    asked = [b for a, b in pairs if a == "--format"]
    if sum("=" not in each for each in asked) > 1:
        return  # they stand one behind the other
    for each in asked:
        name, _, file = each.partition("=")
        if file:
            if not (root / file).is_file():
                if ran.returncode in (0, 1, 3):
                    yield f"{file} is not written"
                continue
            text = (root / file).read_text("utf-8")
        else:
            text = ran.stdout
            if not text.strip() and ran.returncode == 2 and ran.stderr.strip():
                continue
        try:
            _read(name, text, ran.returncode)
        except Exception as error:
            yield f"{each} is not valid: {type(error).__name__}: {str(error)[:700]}"


def _read(name: str, text: str, status: int) -> None:
    if name == "json":
        document = json.loads(text, parse_constant=_no_number)
        valid(document)
        assert document["run"]["exit_code"] == status, "another exit code"
        tally = [result["status"] for result in document["results"]]
        summary = document["summary"]
        assert summary.pop("layers") == len(tally)
        assert all(tally.count(key) == number for key, number in summary.items())
    elif name == "sarif":
        json.loads(text, parse_constant=_no_number)
    elif name == "junit":
        ElementTree.fromstring(text)
    elif name == "html":
        assert text.rstrip().endswith("</html>")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))


def valid(document: Any) -> None:
    """Raise where a document is not what the schema says."""
    _validator().validate(document)


def _of_folder(case: Case, before: dict[str, bytes], root: Path) -> Iterator[str]:
    """Yield the files that should not have been written."""
    if "folder" in ACTS[case.source.act].touches:
        return
    asked = {option.partition("=")[2] for option in case.options} | set(case.options)
    is_mended = "--fix" in case.options and "--diff" not in case.options
    for name in touched.changed(before, touched.files(root)):
        if not (name in asked or (is_mended and name.endswith((".py", ".ipynb")))):
            yield f"{name} is written, or gone"


def _processes_in(root: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve().is_relative_to(root):
                found.append(int(process.name))
    return found


# --- Python --------------------------------------------------------------------------


def _python(case: Case, root: Path) -> tuple[str, list[str]]:
    """Run a call of Python in a fork of this process, and return what it found."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.close(reader)
        _become(case, root, writer)
    os.close(writer)
    said, end = b"", time.monotonic() + HANGS
    while select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        if not (part := os.read(reader, 65536)):
            break
        said += part
    else:
        os.kill(child, signal.SIGUSR1)  # it writes down where it is
        time.sleep(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    os.waitpid(child, 0)
    if not said:
        where = root / "hangs.txt"
        told = where.read_text() if where.exists() else ""
        return "no answer", [f"hangs, or died:\n{told[-2500:]}"]
    outcome, found = json.loads(said)
    return outcome, found


def _become(case: Case, root: Path, writer: int) -> None:
    import faulthandler

    hangs = open(root / "hangs.txt", "w")  # noqa: SIM115  # for as long as this lives
    faulthandler.register(signal.SIGUSR1, file=hangs, all_threads=False)
    os.chdir(root)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    torch.manual_seed(case.number)
    try:
        answer = _called(case, root)
    except BaseException:
        answer = ("fault of the fuzz", [traceback.format_exc()[-2000:]])
    os.write(writer, json.dumps(answer).encode())
    os._exit(0)


def _called(case: Case, root: Path) -> tuple[str, list[str]]:
    try:
        subject, names = build(case, root)
        keywords = {key: eval(text, names) for key, text in case.keywords}
    except BaseException as error:
        return f"not built: {type(error).__name__}", []
    if case.verb == "check":
        keywords.setdefault("timeout", case.limit)
    before, held = touched.process(), touched.layer(subject)
    known = touched.files(root)
    began = time.process_time()
    outcome, found = _asked(case, subject, keywords, names)
    seconds = time.process_time() - began
    if case.verb == "check" and seconds > 2 * case.limit + 2:
        found.append(f"late: {seconds:.1f} s of CPU time of {case.limit:g}")
    touches = ACTS[case.source.act].touches
    if "torch._dynamo" in sys.modules or case.verb == "exact_ldj":
        touches |= {"environment", "torch", "warnings"}  # as torch's own imports do
    if case.verb == "exact_ldj":  # which calls the map as it is
        touches |= {name for name in before if name.startswith("random numbers")}
    for then, now in ((before, touched.process()), (held, touched.layer(subject))):
        found += [f"changed: {name}" for name in touched.changed(then, now, touches)]
    if "folder" not in touches:
        names = touched.changed(known, touched.files(root))
        found += [f"{name} is written, or gone" for name in names]
    return outcome, found


def build(case: Case, root: Path) -> tuple[Any, dict[str, Any]]:
    """Return what is checked in Python, and the names of its module."""
    path = root / "flow.py"
    path.write_text(case.source.text(), encoding="utf-8")
    if case.subject == "text":
        return f"{path}:Layer()", {"torch": torch, "np": __import__("numpy")}
    module = of_file(path, "flow")
    kind = module.Layer
    makers: dict[str, Any] = {
        "instance": kind,
        "class": lambda: kind,
        "function": lambda: module.make,
        "method": lambda: kind().step,
        "sequential": lambda: torch.nn.Sequential(kind(), kind()),
        "none": lambda: None,
        "number": lambda: 3,
        "list": lambda: [kind(), kind()],
        "module": lambda: module,
        "tensor": lambda: torch.ones(3),
        "half": lambda: kind().half(),
        "double": lambda: kind().double(),
        "jit": lambda: torch.jit.trace(kind(), torch.ones(2, 4), strict=False),
        "partial": lambda: functools.partial(kind().step, back=False),
        "lambda": lambda: lambda x: (x * 2, x.sum(1) * 0 + 1.0),
        "distribution": lambda: torch.distributions.TransformedDistribution(
            torch.distributions.Normal(0.0, 1.0), [kind()]
        ),
        "meta": lambda: kind().to("meta"),
        "trained": lambda: _trained(kind()),
        "shared": lambda: torch.nn.Sequential(*[kind()] * 2),
        "frozen": lambda: kind().requires_grad_(False),
    }
    return makers[case.subject](), vars(module)


def of_file(path: Path, name: str) -> Any:
    """Return a file as the module of that name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _trained(layer: Any) -> Any:
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    return layer.train()


def _asked(
    case: Case, subject: Any, keywords: dict[str, Any], names: dict[str, Any]
) -> tuple[str, list[str]]:
    """Return how a call of the package ended, and what should not be so."""
    try:
        if case.verb == "exact_ldj":
            return _exactly(subject, names)
        if case.verb == "derive":
            known = ldjcheck.derive.__kwdefaults__ or {}
            keywords = {key: value for key, value in keywords.items() if key in known}
        report = getattr(ldjcheck, case.verb)(subject, **keywords)
        if report is None:
            return "nothing raised", []
        valid(document := report.to_dict())
        json.dumps(document, allow_nan=False)
        for text in (str(report), repr(report), report.details):
            text.encode()
        report._repr_mimebundle_()
        return str(report.status), []
    except (ldjcheck.LdjMismatch, ldjcheck.LdjError) as error:
        str(error).encode()
        return type(error).__name__, []
    except KeyboardInterrupt:  # which nobody can tell from a Ctrl-C
        return "KeyboardInterrupt", []
    except ValueError as error:
        said = str(error)
        named = any(key in said.split(":")[0] for key in keywords)
        if (named or "takes no argument" in said or "Jacobian" in said) and len(
            said
        ) < 2000:
            return "ValueError", []
        return "raised", [traceback.format_exc()[-2500:]]
    except BaseException:
        return "raised", [traceback.format_exc()[-2500:]]


def _exactly(subject: Any, names: dict[str, Any]) -> tuple[str, list[str]]:
    def map_(x: Any) -> Any:
        result = subject(x)
        return result[0] if isinstance(result, tuple) else result

    for dtype in (torch.float64, torch.float32):
        x = torch.linspace(0.1, 0.9, 12, dtype=dtype).view(3, 4)
        try:
            sign, value = ldjcheck.exact_ldj(map_, x)
        except (TypeError, ValueError):
            continue
        except BaseException as error:  # what the map raises is told as it is
            if OURS in traceback.extract_tb(error.__traceback__)[-1].filename:
                return "raised", [traceback.format_exc()[-2500:]]
            return "raised by the map", []
        assert sign.shape == value.shape == (3,), (sign.shape, value.shape)
        assert sign.dtype == value.dtype == dtype, (sign.dtype, value.dtype)
    return "exact", []
