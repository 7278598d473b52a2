"""Building layers from text, in a file of their own, and writing fixes into it."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ldjcheck.records import Fix

_HEADER = "import math\n\nimport torch\nfrom torch import nn\n\n"
_numbers = itertools.count()


def written(text: str, folder: Path, header: str = _HEADER) -> Path:
    """Return the file that a module's text is written to."""
    path = folder / f"layers_{next(_numbers)}.py"
    path.write_text(header + textwrap.dedent(text).lstrip("\n"))
    return path


def loaded(path: Path, expression: str = "Layer()") -> Any:
    """Return what an expression is in a module of that file."""
    name = f"{path.stem}_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return eval(expression, vars(module))


def built(text: str, folder: Path, expression: str = "Layer()") -> Any:
    """Return what an expression is in a module of that text."""
    return loaded(written(text, folder), expression)


def mended(path: Path, fix: Fix) -> Path:
    """Return another file: the text of this one with a fix written into it."""
    lines = path.read_text().split("\n")
    for edit in sorted(fix.edits, key=lambda e: -e.line):
        assert lines[edit.line - 1] == edit.before
        lines[edit.line - 1 : edit.line] = edit.after.split("\n") if edit.after else []
    other = path.with_name(f"mended_{next(_numbers)}.py")
    other.write_text("\n".join(lines))
    return other
