"""What the call in an expression hands back is the layer, whatever its argument is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.build import build
from ldjcheck.targets.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def made(width: int = 2) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda theta: (width * theta, theta.sum(-1))


def named(theta: Tensor) -> Tensor:
    return theta


SOURCE = Source(name="flow.py", namespace=globals(), module=__name__)


def test_a_function_that_a_call_made_is_a_layer() -> None:
    function = made()
    assert build(function, "made()", SOURCE) == (function, "made()")


def test_a_function_that_is_only_named_may_be_a_factory() -> None:
    with pytest.raises(CannotCheckError) as raised:
        build(named, "named", SOURCE)
    assert raised.value.code == "LDJ003"
