"""Every output block and every Python block of the documents, run again.

A `console` block holds commands after `$ ` and what they print; a `python` block is
executed, after the earlier ones of the same document, and a `pycon` block after those of
its own kind, its output compared. Everything runs from the repository root, where the
documents tell their readers to be; a document that says so in a comment has a copy of
`examples` to itself, from the first block to the last, and a `python` block there whose
first line is `# name.py` is saved under that name. Blocks of other languages cannot be
run, but must be what they say they are. Run as a program by `PYTHONPATH=tests python
tests/docs/test_documents.py`, this file writes what has changed into the documents.
"""

from __future__ import annotations

import ast
import configparser
import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import ldjcheck_in
from terminal import terminal

from ldjcheck.conventions import CONVENTIONS
from ldjcheck.report import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark import ParameterSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


OWN_FOLDER = "<!-- runs in a copy of examples -->"
UNRUN: dict[str, Callable[[str], object]] = {
    "py": ast.parse,
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "ini": lambda text: configparser.ConfigParser().read_string(text),
    "sh": lambda text: subprocess.run(["bash", "-n", "-c", text], check=True),
    "text": str,
}
"""Languages of blocks that show something else than a run, and what reads them."""


@dataclass(frozen=True)
class Block:
    document: Path
    line: int  # of the first line inside the fence
    text: str
    language: str = "console"

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name under which the reader is told to save it."""
        found = re.match(r"# (\w+\.py)\n", self.text)
        return found[1] if found and has_own_folder(self.document) else None


def blocks(document: Path, *languages: str) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, match.start(2)) + 1, match[2], match[1])
        for match in FENCE.finditer(text)
        if match[1] in languages or not languages
    ]


def has_own_folder(document: Path) -> bool:
    return document.exists() and OWN_FOLDER in document.read_text(encoding="utf-8")


def shell(command: str, folder: Path = ROOT) -> str:
    """Return what a shell prints for `command`, errors included."""
    scripts = Path(sys.executable).parent
    environment = terminal(
        PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}", NO_COLOR="1"
    )
    words = shlex.split(command)
    if words[0] == "ldjcheck" and not any(sign in command for sign in "|<>;&$"):
        return ldjcheck_in(folder, *words[1:], env=environment, merged=True).stdout
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    ).stdout


def rerun(block: Block) -> str:
    """Return the block with what its commands print today."""
    if has_own_folder(block.document):
        return played(block.document)[block.line]
    return run_in(ROOT, block)


def run_in(folder: Path, block: Block) -> str:
    commands = re.findall(r"^\$ (.*)", block.text, flags=re.MULTILINE)
    return "\n".join(f"$ {each}\n{shell(each, folder)}" for each in commands)


@cache
def played(document: Path) -> dict[int, str]:
    """Return what the blocks of a document print, one after another, by their lines."""
    printed = {}
    with tempfile.TemporaryDirectory() as name:
        folder = own_folder(Path(name))
        for block in blocks(document, "console", "python"):
            if block.language == "console":
                printed[block.line] = run_in(folder, block)
            elif block.file is not None:
                (folder / block.file).write_text(block.text, encoding="utf-8")
    return printed


def own_folder(inside: Path) -> Path:
    folder = inside / "examples"
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "examples", folder, ignore=unwanted)
    return folder


def normalised(text: str) -> str:
    """Return the text without what another machine prints differently.

    That is how long things take, and rounding errors: the last bits of a sum depend on
    the processor. A number below 1e-9 counts as such, as does an exact zero beside
    the word worst.
    """
    text = re.sub(r"\b\d+\.\d s\b", "N s", text)
    # as pytest says it, minutes too where a machine is busy
    text = re.sub(r" in \d+\.\d\ds\b( \(\d+:\d\d:\d\d\))?", " in Ns", text)
    text = re.sub(r"\b\d(\.\d+)?e-1\d\b|(?<=worst )0\b", "tiny", text)
    return "\n".join(
        re.sub(" +", " ", line).rstrip() for line in text.strip().splitlines()
    )


def is_fresh(block: Block, today: str) -> bool:
    return normalised(today) == normalised(block.text)


CONSOLE = [block for document in DOCUMENTS for block in blocks(document, "console")]
GRADES = "$ ldjcheck grade "  # what takes some seconds, for each block of its document
PLUGIN_IS_INSTALLED = "ldjcheck" in entry_points(group="pytest11").names
PYTHON = [document for document in DOCUMENTS if blocks(document, "python")]
DOCTESTED = [document for document in DOCUMENTS if blocks(document, "pycon")]


def with_its_mark(block: Block) -> ParameterSet:
    is_slow = GRADES in block.document.read_text(encoding="utf-8")
    return pytest.param(block, marks=[pytest.mark.slow] if is_slow else [])


@pytest.mark.slow
@pytest.mark.parametrize("block", [*map(with_its_mark, CONSOLE)], ids=str)
def test_a_command_prints_what_the_document_shows(block: Block) -> None:
    if "pytest" in block.text.partition("\n")[0] and not PLUGIN_IS_INSTALLED:
        pytest.skip("the entry point of the plugin is not installed")
    assert normalised(rerun(block)) == normalised(block.text)


@pytest.mark.thinned(9)
@pytest.mark.parametrize("document", PYTHON, ids=lambda document: document.name)
def test_the_python_of_a_document_runs(
    document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = own_folder(tmp_path) if has_own_folder(document) else ROOT
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    namespace: dict[str, object] = {"__name__": document.stem}
    for block in blocks(document, "python"):
        source = "\n" * (block.line - 1) + block.text  # tracebacks name the right line
        exec(compile(source, document, "exec"), namespace)


@pytest.mark.parametrize("document", DOCTESTED, ids=lambda document: document.name)
def test_what_is_typed_at_a_prompt_answers_as_the_document_shows(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    runner = doctest.DocTestRunner(verbose=False)
    names: dict[str, object] = {}
    for block in blocks(document, "pycon"):
        test = doctest.DocTestParser().get_doctest(
            block.text, names, str(block), str(document), block.line - 1
        )
        runner.run(test, clear_globs=False)
        names.update(test.globs)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_other_block_is_what_it_says_it_is(document: Path) -> None:
    run = {"console", "python", "pycon"}
    for block in blocks(document):
        if block.language not in run:
            UNRUN[block.language](block.text)


@pytest.mark.parametrize("name", ["first-layer", "getting-started"])
def test_what_is_quoted_from_a_screen_stands_on_one(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    screens = "\n".join(block.text for block in blocks(ROOT / "docs" / f"{name}.md"))
    quoted = re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", FENCE.sub("", text))
    assert len(quoted) >= 4
    assert [each for each in quoted if each.lower() not in screens.lower()] == []


def test_the_blocks_of_the_documents_are_found() -> None:
    assert {"README.md", "getting-started.md"} <= {b.document.name for b in CONSOLE}
    assert {"README.md", "python.md"} <= {document.name for document in PYTHON}


CALLED = "| name | how the layer is called |\n| --- | --- |\n"
"""Begins the table of conventions, which ends with the next empty line."""


def with_conventions(text: str) -> str:
    """Return a document whose table of conventions, if it has one, is that of today."""
    head, begins, rest = text.partition(CALLED)
    rows = "\n".join(f"| `{each.name}` | {each.summary} |" for each in CONVENTIONS)
    return head + begins + rows + rest[rest.index("\n\n") :] if begins else text


@pytest.mark.parametrize(
    "name",
    ["README.md", "docs/index.md", "docs/first-layer.md", "docs/getting-started.md"],
)
def test_who_installs_is_told_first_how_to_come_by_it(name: str) -> None:
    first = FENCE.search((ROOT / name).read_text(encoding="utf-8"))
    assert first is not None
    clone, install = first[2].splitlines()
    assert clone.startswith("git clone ADDRESS ldjcheck && cd ldjcheck")
    assert install.startswith("pip install ")


def test_the_command_line_page_lists_every_convention() -> None:
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    assert CALLED in page
    assert with_conventions(page) == page


def test_output_that_has_changed_is_noticed_and_a_duration_is_not() -> None:
    block = Block(ROOT / "a.md", 1, "$ echo 1 in 0.5 s\n1 in 0.7 s\n\n$ echo b\nb\n")
    assert is_fresh(block, rerun(block))
    stale = Block(ROOT / "a.md", 1, block.text.replace("1 in 0.7", "2 in 0.7"))
    assert not is_fresh(stale, rerun(stale))
    assert normalised("worst 0      allowed") == normalised("worst 2e-16  allowed")
    assert normalised("-4.00002e-05") != normalised("-5.00002e-05")


def test_the_page_of_the_command_line_names_every_format() -> None:
    text = Path("docs/command-line.md").read_text(encoding="utf-8")
    row = text.partition("| `--format NAME` |")[2].partition("\n")[0]
    others = [each.name for each in FORMATS if each.name != "text"]
    assert [name for name in others if f"`{name}`" not in row] == []


def refresh(document: Path) -> None:
    """Write what the commands of a document print today into its output blocks."""
    text = with_conventions(document.read_text(encoding="utf-8"))
    for block in blocks(document, "console"):
        today = rerun(block)
        if not is_fresh(block, today):
            text = text.replace(block.text, today.strip() + "\n")
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:] or DOCUMENTS):
        refresh(each)
