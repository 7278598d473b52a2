"""The layers that the gate asks about, and what each is told, as JSON text."""

from __future__ import annotations

import json
import linecache
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ldjcheck
from ldjcheck.classroom.judging import built, examine
from ldjcheck.classroom.zoo import ANIMALS
from ldjcheck.mistakes import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[2] / "examples"
TARGETS = (
    "actnorm.py:ActNorm",
    "convolution.py:InvertibleConvolution",
    "coupling.py:make_masked_coupling()",
    "coupling.py:make_chunk_coupling()",
    "coupling_mistakes.py:FlippedSign",
    "dequantization.py:Dequantization",
    "dequantization_mistakes.py:NoDimsFactor",
    "dequantization_mistakes.py:LogitSign",
    "dequantization_mistakes.py:InverseWithoutAlpha",
    "transforms.py:Increasing",
)


def names() -> list[str]:
    """Return the names of all subjects, in one order."""
    zoo = [f"zoo {number} {animal.name}" for number, animal in enumerate(ANIMALS)]
    pages = [
        f"page {rule.name} {which}"
        for rule in RULES
        for which in ("wrong", "right")
        if getattr(rule.page, which)
    ]
    return [*zoo, *pages, *(f"example {target}" for target in TARGETS)]


def told(name: str) -> str:
    """Return the JSON of one subject's check at seed 0, without its seconds."""
    kind, _, rest = name.partition(" ")
    return json.dumps(_timeless(_KINDS[kind](rest)), sort_keys=True, indent=1)


def _animal(name: str) -> Any:
    number, _, _ = name.partition(" ")
    return examine(ANIMALS[int(number)]).to_dict()


def _page(name: str) -> Any:
    rule_name, which = name.split()
    (rule,) = (rule for rule in RULES if rule.name == rule_name)
    layer = built(_last_class(getattr(rule.page, which), rule.name))
    return ldjcheck.check(layer, shape=rule.page.shape).to_dict()


def _last_class(source: str, name: str) -> Callable[[], Any]:
    """Return the last class that a snippet defines, its lines known to Python."""
    file = f"<the page {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {"__name__": f"page_{name.replace('-', '_')}"}
    exec(compile(source, file, "exec"), namespace)
    made = namespace[re.findall(r"^class (\w+)", source, re.MULTILINE)[-1]]
    assert isinstance(made, type)
    return made


def _example(target: str) -> Any:
    command = [sys.executable, "-m", "ldjcheck", target, "--format", "json"]
    run = subprocess.run(
        command, cwd=EXAMPLES, capture_output=True, text=True, check=False
    )
    return json.loads(run.stdout)


_KINDS: dict[str, Callable[[str], Any]] = {
    "zoo": _animal,
    "page": _page,
    "example": _example,
}


def _timeless(document: Any) -> Any:
    """Return the document without what differs from run to run, or from folder to folder."""
    if isinstance(document, dict):
        return {
            key: Path(value).name if key == "file" and value else _timeless(value)
            for key, value in document.items()
            if key not in ("seconds", "tool")
        }
    if isinstance(document, list):
        return [_timeless(item) for item in document]
    return document
