"""Every output block and every Python block of the documents, run again.

A `console` block holds commands after `$ ` and what they print; a `python` block is
executed, after the earlier ones of the same document. Everything runs from the
repository root, where the documents tell their readers to be. Run as a program by
`PYTHONPATH=tests python tests/docs/test_documents.py`, this file writes what has changed
into them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from terminal import terminal

from ldjcheck.conventions import CONVENTIONS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    document: Path
    line: int  # of the first line inside the fence
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks(document: Path, language: str) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, match.start(2)) + 1, match[2])
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


def shell(command: str) -> str:
    """Return what a shell prints for `command`, errors included."""
    scripts = Path(sys.executable).parent
    environment = terminal(
        PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}", NO_COLOR="1"
    )
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    ).stdout


def rerun(block: Block) -> str:
    """Return the block with what its commands print today."""
    commands = re.findall(r"^\$ (.*)", block.text, flags=re.MULTILINE)
    return "\n".join(f"$ {command}\n{shell(command)}" for command in commands)


def normalised(text: str) -> str:
    """Return the text without what another machine prints differently.

    That is how long things take, and rounding errors: the last bits of a sum depend on
    the processor. A number below 1e-9 counts as such, as does an exact zero beside
    the word worst.
    """
    text = re.sub(r"\b\d+\.\d s\b", "N s", text)
    text = re.sub(r" in \d+\.\d\ds\b", " in Ns", text)  # as pytest says it
    text = re.sub(r"\b\d(\.\d+)?e-1\d\b|(?<=worst )0\b", "tiny", text)
    return "\n".join(
        re.sub(" +", " ", line).rstrip() for line in text.strip().splitlines()
    )


def is_fresh(block: Block, today: str) -> bool:
    return normalised(today) == normalised(block.text)


CONSOLE = [block for document in DOCUMENTS for block in blocks(document, "console")]
PLUGIN_IS_INSTALLED = "ldjcheck" in entry_points(group="pytest11").names
PYTHON = [document for document in DOCUMENTS if blocks(document, "python")]


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_a_command_prints_what_the_document_shows(block: Block) -> None:
    if "pytest" in block.text.partition("\n")[0] and not PLUGIN_IS_INSTALLED:
        pytest.skip("the entry point of the plugin is not installed")
    assert normalised(rerun(block)) == normalised(block.text)


@pytest.mark.parametrize("document", PYTHON, ids=lambda document: document.name)
def test_the_python_of_a_document_runs(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, object] = {"__name__": document.stem}
    for block in blocks(document, "python"):
        source = "\n" * (block.line - 1) + block.text  # tracebacks name the right line
        exec(compile(source, document, "exec"), namespace)


def test_the_blocks_of_the_documents_are_found() -> None:
    assert {"README.md", "getting-started.md"} <= {b.document.name for b in CONSOLE}
    assert {"README.md", "python.md"} <= {document.name for document in PYTHON}


def test_the_command_line_page_lists_every_convention() -> None:
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    rows = [f"| `{each.name}` | {each.summary} |" for each in CONVENTIONS]
    assert "\n".join(rows) in page


def test_output_that_has_changed_is_noticed_and_a_duration_is_not() -> None:
    block = Block(ROOT / "a.md", 1, "$ echo 1 in 0.5 s\n1 in 0.7 s\n\n$ echo b\nb\n")
    assert is_fresh(block, rerun(block))
    stale = Block(ROOT / "a.md", 1, block.text.replace("1 in 0.7", "2 in 0.7"))
    assert not is_fresh(stale, rerun(stale))
    assert normalised("worst 0      allowed") == normalised("worst 2e-16  allowed")
    assert normalised("-4.00002e-05") != normalised("-5.00002e-05")


def refresh(document: Path) -> None:
    """Write what the commands of a document print today into its output blocks."""
    text = document.read_text(encoding="utf-8")
    for block in blocks(document, "console"):
        today = rerun(block)
        if not is_fresh(block, today):
            text = text.replace(block.text, today.strip() + "\n")
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in DOCUMENTS:
        refresh(each)
