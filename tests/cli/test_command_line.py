from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ldjcheck.cli import main
from ldjcheck.mistakes import RULES
from ldjcheck.report import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ran = subprocess.CompletedProcess[str]

SCALE = """
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self, sign=1):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.4, 0.2]))
            self.sign = sign

        def forward(self, z, ldj, reverse=False):
            log_scale = -self.log_scale if reverse else self.log_scale
            return z * log_scale.exp(), ldj + self.sign * log_scale.sum()
"""


@pytest.fixture(autouse=True)
def _scale(write: Callable[[str, str], Path]) -> None:
    write("scale.py", SCALE)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("scale.py:Scale", "pass", 0),
        ("scale.py:Scale(sign=-1)", "fail", 1),
        ("scale.py:Scael", "error", 2),
    ],
)
def test_the_exit_status_tells_how_it_came_out(
    ldjcheck: Callable[..., Ran], target: str, status: str, code: int
) -> None:
    ran = ldjcheck(target, "--format", "json")
    document = json.loads(ran.stdout)
    assert [result["status"] for result in document["results"]] == [status]
    assert document["run"]["exit_code"] == code
    assert ran.returncode == code


@pytest.mark.slow
def test_statistics_are_the_last_lines_of_a_quiet_report(
    ldjcheck: Callable[..., Ran],
) -> None:
    targets = [f"scale.py:{expr}" for expr in ("Scale", "Scale(-1)", "Scael")]
    end = "1  LDJ002 name-not-found\n1  LDJ104 sign-flipped\n"
    end += "1  LDJ403 direction-ambiguous (note)\n"
    assert ldjcheck(*targets, "-q", "--statistics").stdout.endswith(f"\n\n{end}")


def test_the_command_is_reported_as_it_was_typed(ldjcheck: Callable[..., Ran]) -> None:
    ran = ldjcheck("--format=json", "scale.py:Scale(sign=-1)", "--seed", "3")
    run = json.loads(ran.stdout)["run"]
    assert run["command"] == "ldjcheck --format=json 'scale.py:Scale(sign=-1)' --seed 3"
    assert run["seed"] == 3


@pytest.mark.slow
def test_the_word_check_may_be_written_first(ldjcheck: Callable[..., Ran]) -> None:
    with_it = ldjcheck("check", "scale.py:Scale", "-q", "--format", "concise")
    without = ldjcheck("scale.py:Scale", "-q", "--format", "concise")
    assert (with_it.returncode, with_it.stdout) == (without.returncode, without.stdout)


@pytest.mark.slow
def test_two_runs_with_one_seed_differ_in_seconds_only(
    ldjcheck: Callable[..., Ran],
) -> None:
    def document() -> object:
        return json.loads(
            ldjcheck("scale.py:Scale(-1)", "--format", "json").stdout,
            object_hook=lambda each: {k: v for k, v in each.items() if k != "seconds"},
        )

    assert document() == document()


def test_formats_go_to_files_and_standard_output(
    ldjcheck: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = ldjcheck("scale.py:Scale", "--format", "json=out.json", "--format", "text")
    assert json.loads((tmp_path / "out.json").read_text())["summary"]["pass"] == 1
    assert "scale.py:Scale" in ran.stdout
    assert "{" not in ran.stdout


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["scale.py:Scale", "--shpae", "3"], "--shpae"),
        (["scale.py:Scale", "--convention", "nonesuch"], "is not a convention"),
        (["scale.py:Scale", "--batch", "0"], "--batch"),
        (["scale.py:Scale", "--device", "gpu"], "is not a device of torch"),
        (["scale.py:Scale", "--context", "ctx=3"], "takes no argument 'ctx'"),
        (["--seed", "0"], "Missing argument"),
        (["scale.py:Scale", "--format", "json", "--format", "text"], "would mix"),
        (["scale.py:Scale", "--format", "json=."], "no file '.' can be written"),
    ],
)
def test_a_wrong_command_writes_to_standard_error_only(
    ldjcheck: Callable[..., Ran], arguments: list[str], told: str
) -> None:
    ran = ldjcheck(*arguments)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "environment", "is_coloured"),
    [
        ([], {}, False),  # no terminal
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),  # typed is stronger than set
        (["--color", "never"], {}, False),
    ],
)
def test_colours_are_for_terminals_unless_asked_for(
    ldjcheck: Callable[..., Ran],
    arguments: list[str],
    environment: dict[str, str],
    *,
    is_coloured: bool,
) -> None:
    ran = ldjcheck("scale.py:Scael", *arguments, env={**os.environ, **environment})
    assert ("\x1b[" in ran.stdout) is is_coloured


@pytest.mark.thinned(3)
@pytest.mark.parametrize("settings", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_gets_colours_unless_told_otherwise(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    pty = pytest.importorskip("pty")
    reader, terminal = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    ran = subprocess.run(
        [sys.executable, "-m", "ldjcheck", "scale.py:Scael"],
        cwd=tmp_path,
        stdout=terminal,
        env={**environment, "TERM": "xterm", **settings},
        timeout=60,
        check=False,
    )
    os.close(terminal)
    assert ran.returncode == 2
    assert (b"\x1b[" in os.read(reader, 65536)) is not bool(settings)
    os.close(reader)


def test_codes_lists_every_rule_on_a_line(ldjcheck: Callable[..., Ran]) -> None:
    lines = ldjcheck("codes").stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [rule.code, rule.name, rule.severity] for rule in RULES
    ]


def test_help_shows_every_option_and_command(ldjcheck: Callable[..., Ran]) -> None:
    text = ldjcheck("--help").stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    for word in (
        "--shape",
        "--domain",
        "--timeout",
        "--format",
        "codes",
        "Exit status",
    ):
        assert word in text
    about = " ".join(text.partition("--format")[2].partition("--plot")[0].split())
    assert all(each.name in about for each in FORMATS)
    assert ldjcheck("--version").stdout.startswith("ldjcheck ")


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (ZeroDivisionError("ours"), 4, "ours\nThis is a fault of ldjcheck"),
    ],
)
def test_what_stops_any_command_has_its_own_exit_status(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, told: str
) -> None:
    def stops(rule: object) -> str:
        raise raised

    monkeypatch.setattr("ldjcheck.cli.commands.explain.page_of", stops)
    ran = CliRunner().invoke(main, ["explain", "LDJ101"])
    assert ran.exit_code == code
    assert told in ran.output


def test_a_layer_that_ends_the_selftest_is_told(
    ldjcheck: Callable[..., Ran], write: Callable[[str, str], Path]
) -> None:
    write("dies.py", "import os\ndef layer(x): os._exit(3)")
    ran = ldjcheck("selftest", "dies.py:layer")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "it ended itself with exit code 3" in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ("SIGINT", 130, "Interrupted; nothing is left running.\n"),
        ("SIGTERM", 143, ""),  # as `timeout`, a container or a CI job that is cancelled
        ("SIGHUP", 129, ""),  # as a terminal that is closed
    ],
)
def test_what_ends_the_command_ends_everything(
    write: Callable[[str, str], Path], tmp_path: Path, sent: str, status: int, said: str
) -> None:
    note, number = tmp_path / "pid", signal.Signals[sent]
    write(
        "hangs.py",
        f"""
        import os, pathlib, time

        class Layer:
            def __init__(self):
                pathlib.Path({str(note)!r}).write_text(str(os.getpid()))
                time.sleep(60)
        """,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "ldjcheck", "hangs.py:Layer", "scale.py:Scale"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell lets what it runs in the background ignore it.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert (out, err) == ("", said)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="uses a pipe of the shell")
def test_a_reader_that_leaves_early_is_no_fault(tmp_path: Path) -> None:
    ran = subprocess.run(
        f"{sys.executable} -m ldjcheck scale.py:Scael; echo $? >&2",
        shell=True,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    closed = subprocess.run(
        f"(sleep 1; {sys.executable} -m ldjcheck scale.py:Scael; echo $? >&2) | true",
        shell=True,
        cwd=tmp_path,
        text=True,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert ran.stderr == closed.stderr == "2\n"


def test_a_report_in_a_file_leaves_the_text_on_the_screen(
    ldjcheck: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = ldjcheck("scale.py:Scael", "--format", "junit=out.xml")
    assert "There is no Scael in scale.py." in ran.stdout
    assert '<error message="LDJ002' in (tmp_path / "out.xml").read_text()


@pytest.mark.slow
def test_a_log_is_not_told_what_is_being_done(
    ldjcheck: Callable[..., Ran], write: Callable[[str, str], Path]
) -> None:
    write("slow.py", "import time; time.sleep(2)\nfrom scale import Scale\n")
    ran = ldjcheck("slow.py:Scale")  # longer than a terminal waits for such a line
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("server", ["", "true"])
def test_who_waits_is_told_and_a_server_is_not(
    server: str, write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    pty = pytest.importorskip("pty")
    write("slow.py", "import time; time.sleep(2)\nfrom scale import Scale\n")
    command = [sys.executable, "-m", "ldjcheck", "slow.py:Scale"]
    ours, theirs = pty.openpty()
    subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"CI": server}, stderr=theirs, timeout=60,
        stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    told = b""
    with contextlib.suppress(OSError):  # the end
        told = os.read(ours, 100_000)
    os.close(ours)
    assert (b"slow.py:Scale: " in told) is not bool(server)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("allowed", "rounding"), ("Kind", "bijection"), ("exact", "Jacobian"),
        ("contract", "one number"), ("ldj not tracked", "running total"),
        ("gradient inverse", "parameters"), ("share of", "sublayer"),
        ("of the error", "percent"), ("nats", "bits"), ("noise frozen", "drawn once"),
        ("at dims 2, 40 and 600", "size to size"), ("worst", "all samples"),
        ("share", "sublayer"), ("gradients", "parameters"), ("alone", "other sizes"),
        ("by preimage", "way back"), ("bits per dimension", "natural"),
    ],
)  # fmt: skip
def test_a_word_of_the_screen_is_explained(word: str, told: str) -> None:
    ran = CliRunner().invoke(main, ["explain", word])
    assert ran.exit_code == 0
    heading, *meaning = ran.output.splitlines()
    assert re.split(r" \d", word.lower())[0].removesuffix("s") in heading
    assert told in " ".join(meaning)
    (split, *_) = CliRunner().invoke(main, ["explain", "dequantization"]).output.split()
    assert split == "kind"


def test_a_page_is_an_object_for_programs() -> None:
    page = json.loads(
        CliRunner().invoke(main, ["explain", "LDJ101", "--format", "json"]).output
    )
    assert (page["code"], page["name"]) == ("LDJ101", "missing-dims-factor")
    assert {"what", "rule", "shows", "costs", "question"} <= set(page)
    word = CliRunner().invoke(main, ["explain", "allowed", "--format", "json"]).output
    assert "rounding" in " ".join(json.loads(word)["meanings"])
