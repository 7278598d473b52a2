from __future__ import annotations

import pytest

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets import parse_target


@pytest.mark.parametrize(
    ("text", "source", "expr"),
    [
        ("flows:Layer", "flows", "Layer"),
        ("package.flows:make_flow()", "package.flows", "make_flow()"),
        ("path/to/flows.py:Layer(quants=8)", "path/to/flows.py", "Layer(quants=8)"),
        ("flows.ipynb:Layer", "flows.ipynb", "Layer"),
        ("flows.py", "flows.py", None),
        ("flows.py:", "flows.py", None),
        ("flows:layers[1:][0]", "flows", "layers[1:][0]"),
        ("flows:load('deq.py:3')", "flows", "load('deq.py:3')"),
        (r"C:\flows\deq.py:Layer", r"C:\flows\deq.py", "Layer"),
        ("C:/flows/deq.py", "C:/flows/deq.py", None),
        ("my flows/deq.py:Layer", "my flows/deq.py", "Layer"),
        (" flows.py : Layer ", "flows.py", "Layer"),
        ("flows:Layer(\n    4,\n)", "flows", "Layer(\n    4,\n)"),
    ],
)
def test_a_target_is_a_source_and_an_expression(
    text: str, source: str, expr: str | None
) -> None:
    target = parse_target(text)
    assert (target.source, target.expr) == (source, expr)
    assert target.text == text


@pytest.mark.parametrize("text", ["", " ", ":", ":Layer"])
def test_a_target_needs_a_source(text: str) -> None:
    with pytest.raises(CannotCheckError) as caught:
        parse_target(text)
    assert caught.value.code == "LDJ001"
    assert "SOURCE:EXPR" in caught.value.evidence[0]
