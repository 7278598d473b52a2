"""How the source at hand would write a count: of the dims, of the places, of channels."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ldjcheck.revision import call_name

if TYPE_CHECKING:
    from ldjcheck.mistakes.rewriting.sites import Site

_TENSORS = 3  # names of tensors that are tried


def counts_for(site: Site, label: str) -> Iterator[str]:
    """Yield expressions for a count such as `dims`, `H*W`, `C` or `dims-1`.

    What the function itself writes comes first. Only sizes of tensors are used: a number
    that happens to fit is no count.
    """
    label = label.strip("()")
    names = _tensor_names(site)
    yield from site.unused
    yield from _written_here(site, label)
    yield from _unpacked(site, label)
    off = re.fullmatch(r"dims([+-]1)", label)
    if off is not None:
        sign = off.group(1)[0]
        for text in _dims(site, names):
            yield f"({text} {sign} 1)"
        return
    for name in names if label in ("dims", "any") else ():
        yield from _dims(site, [name])
        if label == "dims":  # where each entry of the ldj is of one axis
            yield f"{name}.shape[-1]"
    if label in ("H*W", "T", "any"):
        yield from _spatial(site, names, label)
    if label in ("T*H*W", "any"):
        yield from (f"{name}.shape[2:].numel()" for name in names)
    if label in ("C", "any"):
        yield from (f"{name}.shape[1]" for name in names)
        yield from (f"{name}.shape[2]" for name in names)  # of a (T, C) event
    single = {"H": 2, "W": 3, "T": 2, "B": 0}
    if label in single:
        yield from (f"{name}.shape[{single[label]}]" for name in names)
    if label == "T":
        yield from (f"{name}.shape[1]" for name in names)
    elif label in ("H", "W"):  # of a video
        yield from (f"{name}.shape[{single[label] + 1}]" for name in names)
    product = label.split("*")
    if len(product) == 2 and label != "H*W" and all(p in "CHW" for p in product):
        axes = [{"C": 1, "H": 2, "W": 3}[p] for p in product]
        for name in names:
            yield " * ".join(f"{name}.shape[{axis}]" for axis in axes)
    if label == "active dims":
        for name in dict.fromkeys(_masks(site)):
            yield f"{name}.sum()"
            yield f"(1 - {name}).sum()"


def _unpacked(site: Site, label: str) -> Iterator[str]:
    """Yield the name of one size where the function unpacks a shape: `b, c, h, w = ...`."""
    for node in site.inside:
        if not isinstance(node, ast.Assign) or not isinstance(
            node.targets[0], ast.Tuple
        ):
            continue
        shape = ast.unparse(node.value)
        axes = [ast.unparse(name) for name in node.targets[0].elts]
        letters = {5: "BCTHW", 4: "BCHW", 3: "BCT"}.get(len(axes))
        if letters is None or not shape.endswith((".shape", ".size()")):
            continue
        if all(part in letters for part in label.split("*")):
            yield " * ".join(axes[letters.index(part)] for part in label.split("*"))
        elif label == "any":
            yield from axes[1:]


def _dims(site: Site, names: list[str]) -> Iterator[str]:
    for name in names:
        if "numpy" in site.modules:
            yield f"{site.modules['numpy']}.prod({name}.shape[1:])"
        elif "math" in site.modules:
            yield f"{site.modules['math']}.prod({name}.shape[1:])"
        yield f"{name}[0].numel()"


def _spatial(site: Site, names: list[str], label: str) -> Iterator[str]:
    if {"h", "w"} <= set(site.names):
        yield "h * w"
    if {"H", "W"} <= set(site.names):
        yield "H * W"
    for name in names:
        if label != "T":
            yield f"{name}.shape[2] * {name}.shape[3]"
        yield f"{name}.shape[2]"


def _written_here(site: Site, label: str) -> Iterator[str]:
    """Yield the counts that the same function already takes, in its own words."""
    found: dict[str, None] = {}
    for node in site.inside:
        text = ast.unparse(node) if isinstance(node, ast.Call) else ""
        inner = call_name(node) in ("prod", "numel") and isinstance(node, ast.Call)
        if inner and label in ("dims", "any") and len(text) < 50:
            found.setdefault(text)
    yield from found


def _tensor_names(site: Site) -> list[str]:
    """Return the names that are likely to hold the batch, the likeliest first."""
    inside: dict[str, None] = {}
    for node in site.inside:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            measured = node.attr in ("shape", "numel", "size", "reshape", "view")
            if measured and node.value.id in site.names:
                inside.setdefault(node.value.id)
    parameters = [
        node.arg
        for node in site.inside
        if isinstance(node, ast.arg) and node.arg not in ("self", "cls")
    ]
    names = list(dict.fromkeys([*inside, *parameters]))[:_TENSORS]
    # Where the function takes its first item, a name is that of a list of tensors.
    items = {
        ast.unparse(node) for node in site.inside if isinstance(node, ast.Subscript)
    }
    return [f"{name}[0]" if f"{name}[0]" in items else name for name in names]


def _masks(site: Site) -> Iterator[str]:
    for node in site.inside:
        text = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        if "mask" in text.lower() or text.endswith((".b", ".active")):
            yield text
