from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ldjcheck import check
from ldjcheck.errors import CannotCheckError
from ldjcheck.targets import load_layer, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Layer

FLOWS = '''
    """A module with everything that a target may name."""
    import functools
    import torch
    from torch import nn

    calls = []

    class Layer(nn.Module):
        def __init__(self, quants=256):
            super().__init__()
            self.quants = quants

        def forward(self, z, ldj):
            return z, ldj

        def sigmoid(self, z, ldj):
            return z, ldj

        @classmethod
        def small(cls):
            return cls(quants=2)

    class Coupling(nn.Module):
        def __init__(self, network: nn.Module, mask, *, c_in: int, scale=1.0):
            super().__init__()

        def forward(self, z, ldj):
            return z, ldj

    class Broken(Layer):
        def __init__(self):
            raise ValueError("quants must be even")

    class HandsOn(Coupling):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    class Several(Layer):
        def __init__(self, *parts):
            assert parts, "no parts"

    class Confused(Layer):
        @property
        def depth(self):
            return self.no_such_thing

    def make_flow():
        calls.append("make_flow")
        return nn.Sequential(Layer(4), Layer(8))

    def make_deep(depth):
        return Layer(depth)

    def squeeze(z, ldj):
        return z, ldj

    def make_confused():
        return undefined_name

    def leave():
        raise SystemExit("goodbye")

    layer = Layer(16)
    half = functools.partial(squeeze, ldj=0)
    answer = 42
    text = "Layer"
    layers = [layer]
    by_name = {"first": layer}
    tensor = torch.ones(2)

    if __name__ == "__main__":
        hidden = Layer(3)
'''


@pytest.fixture(autouse=True)
def _flows(write: Callable[[str, str], object]) -> None:
    write("flows.py", FLOWS)


def load(expr: str) -> Layer:
    return load_layer(parse_target(f"flows.py:{expr}"))


def refused(expr: str) -> CannotCheckError:
    with pytest.raises(CannotCheckError) as caught:
        load(expr)
    return caught.value


# --- what an expression may be --------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "quants", "name"),
    [
        ("Layer", 256, "Layer()"),
        ("Layer(quants=8)", 8, "Layer(quants=8)"),
        ("Layer(\n    quants=8\n)", 8, "Layer( quants=8 )"),
        ("layer", 16, "layer"),
        ("Layer.small", 2, "Layer.small()"),
        ("make_flow()[1]", 8, "make_flow()[1]"),
        ("layers[0]", 16, "layers[0]"),
        ("by_name['first']", 16, "by_name['first']"),
        ("[Layer(n) for n in (1, answer)][-1]", 42, None),
        ("(lambda: Layer(answer))()", 42, None),
    ],
)
def test_an_expression_gives_a_layer(expr: str, quants: int, name: str | None) -> None:
    layer = load(expr)
    assert layer.obj.quants == quants
    assert layer.name == (name or expr)


def test_a_factory_without_arguments_is_called() -> None:
    layer = load("make_flow")
    assert len(layer.obj) == 2
    assert layer.name == "make_flow()"


@pytest.mark.parametrize("expr", ["Layer().sigmoid", "squeeze", "half"])
def test_what_takes_data_is_a_layer_itself(expr: str) -> None:
    layer = load(expr)
    assert layer.name == expr
    assert layer.obj(1, ldj=0) == (1, 0)


def test_an_expression_is_evaluated_exactly_once() -> None:
    import sys

    layer = load("make_flow()")
    calls = sys.modules["flows"].calls
    assert calls == ["make_flow"]
    assert layer.rebuild is not None
    again = layer.rebuild()
    assert calls == ["make_flow"] * 2
    assert again is not layer.obj


def test_a_failing_expression_too_is_evaluated_exactly_once() -> None:
    import sys

    refused("Coupling(make_flow())")
    assert sys.modules["flows"].calls == ["make_flow"]


# --- LDJ002 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "message", "meant"),
    [
        ("Layre(8)", "There is no Layre in flows.py.", "Layer(8)"),
        ("Layer().sigmiod", "Layer has no attribute sigmiod.", "Layer().sigmoid"),
        ("Layer.smal()", "Layer has no attribute smal.", "Layer.small()"),
        ("nn.Lineer(2, 3)", "There is no Lineer in torch.nn.", "nn.Linear(2, 3)"),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_near_misses(
    expr: str, message: str, meant: str
) -> None:
    error = refused(expr)
    assert error.code == "LDJ002"
    assert error.message == message
    assert error.evidence[0] == "Did you mean:"
    assert f"  ldjcheck 'flows.py:{meant}'" in error.evidence


def test_a_name_like_no_other_is_told_with_what_there_is() -> None:
    assert refused("Qwertyuiop").evidence == (
        "It has: Layer, Coupling, Broken, HandsOn, Several, Confused",
    )


def test_a_name_under_the_main_guard_is_told_to_exist_only_there() -> None:
    error = refused("hidden")
    assert error.code == "LDJ002"
    assert '`if __name__ == "__main__":`' in error.evidence[0]
    guard = 1 + FLOWS.splitlines().index('    if __name__ == "__main__":')
    assert f"line {guard} of flows.py" in error.evidence[1]


@pytest.mark.parametrize(
    "expr", ["Layer(", "x = Layer()", "Layer() Layer()", "(yield)"]
)
def test_what_is_no_expression_is_told_so(expr: str) -> None:
    error = refused(expr)
    assert error.code == "LDJ002"
    assert f"{expr} is no Python expression" in error.message
    assert "  ldjcheck 'flows.py:Layer()'" in error.evidence


def test_a_source_alone_is_told_which_layers_it_has() -> None:
    with pytest.raises(CannotCheckError) as caught:
        load_layer(parse_target("flows.py"))
    assert caught.value.code == "LDJ002"
    assert "  ldjcheck flows.py:Layer" in caught.value.evidence


# --- LDJ003 ---------------------------------------------------------------------------


def test_a_class_that_needs_arguments_shows_signature_place_and_what_to_type() -> None:
    error = refused("Coupling")
    line = 1 + FLOWS.splitlines().index("    class Coupling(nn.Module):")
    assert error.code == "LDJ003"
    assert error.message == "I can't build Coupling: it needs network, mask and c_in."
    assert error.evidence == (
        "  Coupling(network, mask, *, c_in, scale=1.0)",
        f"  defined at flows.py:{line}",
        "Write the call with its arguments; any name of flows.py works:",
        "  ldjcheck 'flows.py:Coupling(network=..., mask=..., c_in=...)'",
    )


@pytest.mark.parametrize(
    ("expr", "needs", "completed"),
    [
        ("Coupling(layer, mask=3)", "c_in", "Coupling(layer, mask=3, c_in=...)"),
        ("layers[0] if 0 else make_deep()", "depth", "make_deep(depth=...)"),
        ("nn.Linear(3)", "out_features", "nn.Linear(3, out_features=...)"),
        ("make_deep", "depth", "make_deep(depth=...)"),
    ],
)
def test_a_call_that_lacks_arguments_is_completed(
    expr: str, needs: str, completed: str
) -> None:
    error = refused(expr)
    assert error.code == "LDJ003"
    assert f"it needs {needs}." in error.message
    assert completed in error.evidence[-1]


@pytest.mark.parametrize(
    ("name", "why", "shown"),
    [
        ("HandsOn", "missing 2 required positional arguments", "(*args, **kwargs)"),
        ("Several", "with no arguments it raises AssertionError: no", "(*parts)"),
    ],
)
def test_a_class_that_hands_arguments_on_or_cannot_do_without_needs_them_too(
    name: str, why: str, shown: str
) -> None:
    error = refused(name)
    assert error.code == "LDJ003"
    assert why in error.message
    assert error.evidence[0] == f"  {name}{shown}"


def test_arguments_that_do_not_fit_are_told_with_the_signature() -> None:
    error = refused("Layer(colours=3)")
    assert error.code == "LDJ003"
    assert "unexpected keyword argument 'colours'" in error.message
    assert error.evidence[0] == "  Layer(quants=256)"


# --- LDJ004 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "kind", "advice"),
    [
        ("answer", "an int", "ldjcheck flows.py:Layer"),
        ("text", "a str", "ldjcheck flows.py:Layer"),
        ("None", "a NoneType", "ldjcheck flows.py:Layer"),
        ("layers", "a list", "ldjcheck 'flows.py:layers[0]'"),
        ("by_name", "a dict", "by_name["),
        ("tensor", "a Tensor", "ldjcheck flows.py:Layer"),
        ("nn", "a module", "ldjcheck torch.nn:"),
    ],
)
def test_what_is_no_layer_is_told_with_its_type(
    expr: str, kind: str, advice: str
) -> None:
    error = refused(expr)
    assert error.code == "LDJ004"
    assert error.message == f"{expr} is {kind}, no flow layer."
    assert any(advice in line for line in error.evidence)


# --- LDJ005 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("Broken", "Building Broken() raised ValueError: quants must be even."),
        ("Broken()", "Evaluating Broken() raised ValueError: quants must be even."),
        ("leave", "Calling leave() ended the program: sys.exit('goodbye')."),
        ("leave()", "Evaluating leave() ended the program: sys.exit('goodbye')."),
    ],
)
def test_what_the_users_code_raises_is_shown_in_its_own_frame(
    expr: str, message: str
) -> None:
    error = refused(expr)
    assert error.code == "LDJ005"
    assert error.message == message
    frames = [line for line in error.evidence if line.startswith("  File ")]
    assert len(frames) == 1
    assert "flows.py" in frames[0]


@pytest.mark.parametrize("expr", ["make_confused()", "Confused().depth"])
def test_a_name_missing_inside_the_users_code_is_not_a_name_of_the_target(
    expr: str,
) -> None:
    assert refused(expr).code == "LDJ005"


def test_an_index_out_of_range_is_told_without_a_frame() -> None:
    error = refused("layers[3]")
    assert error.code == "LDJ005"
    assert (
        error.message
        == "Evaluating layers[3] raised IndexError: list index out of range."
    )
    assert error.evidence == ()


@pytest.mark.parametrize("base", ["2", "3"])
def test_a_lambda_in_an_expression_has_its_line_however_many_are_read(
    base: str,
) -> None:
    expr = f"(lambda x: ({base} * x, x.sum()))"
    finding = check(load(expr).obj, shape=4).findings[0]
    assert finding.location is not None
    assert finding.location.text == expr
