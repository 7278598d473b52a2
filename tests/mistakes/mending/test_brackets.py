"""What is put in the place of an expression means what the tree says, brackets or not."""

from __future__ import annotations

import ast
import linecache

import pytest

from ldjcheck.mistakes.rewriting.sites import Site
from ldjcheck.revision import read_source
from ldjcheck.revision.text import replaced

NUMBERS = {"a": 1.7, "b": 2.3, "c": 0.6, "d": 1.1, "e": 3.1}


def site_of(expression: str) -> Site:
    """Return the statement of a function that computes an expression."""
    file = f"<brackets of {expression}>"
    text = f"def f(a, b, c, d, e):\n    return {expression}\n"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    source = read_source(file)
    assert source is not None
    (statement,) = source.tree.body[0].body  # type: ignore[attr-defined]  # a function
    return Site(source, statement, 0.0)


def value_of(text: str) -> complex:
    """Return what a function of that text comes to."""
    names: dict[str, object] = {}
    exec(text, names)
    return names["f"](**NUMBERS)  # type: ignore[operator, no-any-return]  # a function


class Put(ast.NodeTransformer):
    """Puts one node in the place of another, whatever stands around it."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


@pytest.mark.parametrize(
    "expression",
    [
        "a * ((b + c) - (d - e))",
        "a - (b - (c + d) / e)",
        "a / (b * (c / d))",
        "(a * b) ** (c * (d + e))",
        "-(a + b * (c - d)) ** 2",
        "a * (-b + c) ** (d - -e)",
        "abs(a - (b + c)) * (d - e).real",
        "a - (b if c > d else d + e)",
        "a + (b - c) % (d * e)",
    ],
)
def test_a_part_in_the_place_of_the_whole_is_that_part(expression: str) -> None:
    whole = site_of(expression)
    for number, node in enumerate(whole.expressions):
        parts = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
        for place in range(1, len(parts)):
            site = site_of(expression)
            node = site.expressions[number]
            part = [n for n in ast.walk(node) if isinstance(n, ast.expr)][place]
            if part not in site.expressions:
                continue
            put = site.source.put(node, site.kept(node, part))
            written = replaced(site.source.lines, [put]).decode()
            meant = ast.unparse(Put(node, part).visit(site.source.tree))
            assert value_of(written) == pytest.approx(value_of(meant)), written


def test_a_factor_is_bracketed_where_its_place_asks_for_it() -> None:
    site = site_of("a ** b - c / d")
    a, d = (n for n in site.terms if isinstance(n, ast.Name) and n.id in "ad")
    assert site.in_place(a, "2 * a") == "(2 * a)"
    assert site.in_place(d, "2 * d") == "(2 * d)"
    assert site.in_place(site.statement.value, "2 * x") == "2 * x"  # type: ignore[attr-defined]  # of a return


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("(a + b).real", "log(a + b).real"),
        ("(a + b) * c", "log(a + b) * c"),
        ("abs(a + b)", "abs(log(a + b))"),
        ("(a + b)", "log(a + b)"),
        ("[c, not(a + b)]", "[c, not(log(a + b))]"),  # no word runs into another
    ],
)
def test_a_call_needs_no_brackets_where_a_sum_did(
    expression: str, written: str
) -> None:
    site = site_of(expression)
    (whole,) = (
        n
        for n in ast.walk(site.statement)
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add)
    )
    (put,) = site.put(whole, f"log({site.text(whole)})", 0.0).replacements
    assert replaced(site.source.lines, [put]).decode().splitlines()[1].strip() == (
        f"return {written}"
    )


def test_the_text_of_a_node_is_what_the_file_has_there() -> None:
    source = site_of("(\n        'λ', a +\n        b *\n        c\n    )").source
    text = b"".join(source.lines).decode()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.expr):
            assert source.text(node) == ast.get_source_segment(text, node)
