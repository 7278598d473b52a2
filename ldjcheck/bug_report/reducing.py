"""A Python source made smaller, statement by statement, while something stays true of it.

Delta debugging (Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*,
2002) of each block of statements, the outer ones first: half of a block is left out, then a
quarter, down to single statements, as long as what is left keeps what it is to keep.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

_BLOCKS = ("body", "orelse", "finalbody", "handlers")

Block = list[ast.stmt]


def reduced(text: str, keeps: Callable[[str], bool]) -> str:
    """Return the source with as few statements as keep what `text` has.

    Comments are left out, since none is part of a tree. `keeps` says whether a smaller
    source does; it is asked once about each. Where not even the same statements keep it,
    the text comes back as it is.
    """
    if not _is_python(text):
        return text
    tree = ast.parse(text)
    asked: dict[str, bool] = {text: True}

    def still() -> bool:
        smaller = ast.unparse(tree) + "\n"
        if smaller not in asked:
            asked[smaller] = _is_python(smaller) and keeps(smaller)
        return asked[smaller]

    if not still():
        return text
    before = None
    while before != (before := ast.unparse(tree)):
        for block, may_be_empty in _blocks(tree):
            _reduce(block, still, may_be_empty=may_be_empty)
            _open(block, still)
    return before + "\n"


def _is_python(text: str) -> bool:
    try:
        compile(text, "<reduced>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _blocks(tree: ast.AST) -> Iterator[tuple[Block, bool]]:
    """Yield each block of statements, the outer ones first, and whether it may be empty."""
    waiting = [tree]
    while waiting:
        node = waiting.pop(0)
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block, name != "body" or isinstance(node, ast.Module)
                waiting += block  # what is left of it


def _reduce(block: Block, still: Callable[[], bool], *, may_be_empty: bool) -> None:
    """Leave out of a block, in place, all that can be; later statements first."""
    size = len(block)
    while size:
        end = len(block)
        while end > 0:
            start = max(0, end - size)
            whole = block[:]
            block[start:end] = []
            if not block and not may_be_empty:
                block[:] = [ast.Pass()]
            is_smaller = len(block) < len(whole) or not isinstance(whole[0], ast.Pass)
            if not (is_smaller and still()):
                block[:] = whole
            end = start
        size //= 2


def _open(block: Block, still: Callable[[], bool]) -> None:
    """Put what stands in an `if`, a `with` or a loop in its place, where that does."""
    for statement in tuple(block):
        if isinstance(statement, (ast.If, ast.With, ast.For, ast.While, ast.Try)):
            at = block.index(statement)
            block[at : at + 1] = statement.body
            if not still():
                block[at : at + len(statement.body)] = [statement]
