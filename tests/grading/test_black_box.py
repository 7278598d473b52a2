"""The verdict from outside, on maps whose ldj is known in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ldjcheck.grading.black_box import (
    IDENTITY,
    Asked,
    Remote,
    difference_jacobian,
    inputs,
    judge,
    log_abs_det,
    model_of,
)
from ldjcheck.grading.confined import BrokenChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

REAL = Asked(domain="real", shape=(2, 3))


class Layer:
    """y = sinh(a x) entry by entry, in another process as far as anyone can tell."""

    def __init__(self) -> None:
        self.a = np.ones(6)
        self.calls = 0

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.sinh(self.a * x), np.log(self.a * np.cosh(self.a * x)).sum(1)

    def inverse(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.arcsinh(y) / self.a
        return x, -np.log(self.a * np.cosh(self.a * x)).sum(1)

    def about(self) -> dict[str, Any]:
        return {"directions": ["forward", "inverse"], "tracked": True, "promoted": True}

    def ask(self, question: dict[str, Any]) -> Any:
        if question["ask"] == "set up":
            self.a = np.exp(
                0.1 * np.random.default_rng(question["draw"]).normal(size=6)
            )
            return {"state": {"a": self.a.tolist()}}
        if question["ask"] == "load":
            self.a = np.array(question["state"]["a"])
            return {"odd": []}
        self.calls += 1
        x = np.array(question["x"])
        y, ldj = getattr(self, question["direction"])(x.reshape(len(x), -1))
        return {"y": y.reshape(x.shape).tolist(), "ldj": np.array(ldj).tolist()}


def judged(layer: Layer, asked: Asked = REAL, **more: Any) -> Any:
    return judge(Remote(layer.ask, layer.about()), asked, **more)


def test_a_right_layer_is_right_both_ways() -> None:
    numbers = judged(Layer())
    assert (numbers.standing, numbers.why) == ("right", "")
    assert numbers.directions == ("forward", "inverse")
    assert numbers.worst.off < 0.1  # far inside what is allowed


@pytest.mark.parametrize("slip", [1e-4, -1e-4, 1.0, -7.0, np.nan, np.inf])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_any_slip_of_a_number_is_seen(slip: float, direction: str) -> None:
    class Wrong(Layer):
        pass

    def slipped(self: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y, ldj = getattr(Layer, direction)(self, x)
        return y, ldj + slip

    setattr(Wrong, direction, slipped)
    numbers = judged(Wrong())
    assert numbers.standing == "wrong"
    assert numbers.worst.direction == direction


def test_a_slip_for_some_inputs_only_is_seen() -> None:
    class Wrong(Layer):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            y, ldj = super().forward(x)
            return y, ldj + (x[:, 0] < 0)

    assert judged(Wrong()).standing == "wrong"


def test_scaling_a_map_adds_its_logarithm_in_every_dim() -> None:
    class Doubled(Layer):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            y, ldj = super().forward(x)
            return 2 * y, ldj + 6 * np.log(2)

        def inverse(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            x, ldj = super().inverse(y / 2)
            return x, ldj - 6 * np.log(2)

    assert judged(Doubled()).standing == "right"


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        (
            lambda layer, x: (np.sinh(x) + x.mean(0), Layer.forward(layer, x)[1]),
            "a sample's output depends on its companions",
        ),
        (
            lambda layer, x: (
                Layer.forward(layer, x)[0],
                np.full(len(x), Layer.forward(layer, x)[1].sum()),
            ),
            "a sample's ldj depends on its companions",
        ),
        (
            lambda layer, x: (
                np.sinh(layer.a * x) + layer.calls,
                Layer.forward(layer, x)[1],
            ),
            "the same call gives another answer",
        ),
    ],
)
def test_what_is_not_one_map_of_each_sample_is_wrong(
    forward: Callable[..., Any], why: str
) -> None:
    class Wrong(Layer):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return forward(self, x)

    numbers = judged(Wrong())
    assert (numbers.standing, numbers.why) == ("wrong", why)


def test_a_way_back_that_leads_elsewhere_is_wrong() -> None:
    class Wrong(Layer):
        def inverse(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            x, ldj = super().inverse(y)
            return x + 0.01, ldj

    assert judged(Wrong()).why == "the way back does not lead back"


def test_a_way_back_that_reports_zeros_is_not_judged_by_them() -> None:
    class Silent(Layer):
        def inverse(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return super().inverse(y)[0], np.zeros(len(y))

    assert judged(Silent()).standing == "right"


def test_the_identity_proves_nothing() -> None:
    class Idle(Layer):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return x, np.zeros(len(x))

        inverse = forward

    numbers = judged(Idle())
    assert (numbers.standing, numbers.why) == ("unproven", IDENTITY)


def test_another_map_than_the_reference_is_wrong_however_right_its_ldj() -> None:
    class Other(Layer):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.a * x, np.log(self.a).sum() * np.ones(len(x))

        def inverse(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return y / self.a, -np.log(self.a).sum() * np.ones(len(y))

    reference = Layer()
    model = model_of(Remote(reference.ask, reference.about()), REAL)
    assert judged(Layer(), model=model).same_map is True
    assert judged(Other()).standing == "right"
    numbers = judged(Other(), model=model)
    assert (numbers.standing, numbers.same_map) == ("wrong", False)


def test_a_missing_way_back_is_said_where_it_is_asked_for() -> None:
    class OneWay(Layer):
        def about(self) -> dict[str, Any]:
            return {**super().about(), "directions": ["forward"]}

    assert judged(OneWay()).standing == "right"
    asked = Asked(domain="real", shape=(2, 3), needs_inverse=True)
    assert judged(OneWay(), asked).standing == "absent"


@pytest.mark.parametrize(
    "answer",
    [None, "pass", [], {}, {"y": "right"}, {"y": [[1.0], [2.0, 3.0]]}, {"state": 3}],
)
def test_nonsense_is_no_answer(answer: Any) -> None:
    remote = Remote(lambda question: answer, Layer().about())
    with pytest.raises(BrokenChannelError):
        remote.run("forward", np.zeros((3, 2)), "key")


def test_differences_are_the_jacobian_of_a_linear_map() -> None:
    generator = np.random.default_rng(0)
    matrices = generator.normal(size=(4, 5, 5))
    jacobian, errors = difference_jacobian(
        lambda x: np.einsum("bij,bj->bi", matrices, x), generator.normal(size=(4, 5))
    )
    assert np.allclose(jacobian, matrices, atol=1e-9)
    exact, off = log_abs_det(jacobian, errors)
    assert np.allclose(exact, np.linalg.slogdet(matrices)[1], atol=1e-8)
    assert (off < 1e-6).all()


def test_a_kink_is_not_taken_for_a_slope() -> None:
    jacobian, errors = difference_jacobian(np.abs, np.array([[0.5e-4, 1.0]]))
    _, off = log_abs_det(jacobian, errors)
    assert off[0] > 1e-2


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [
        ("unit", 0.0, 1.0),
        ("positive", 0.0, np.inf),
        ("int:0:15", 0, 15),
        ("interval:-2:3", -2.0, 3.0),
    ],
)
def test_inputs_live_where_they_should(domain: str, low: float, high: float) -> None:
    x = inputs(domain, (500,), 1.0, np.random.default_rng(0))
    assert low <= x.min() < x.max() <= high
    assert (x == x.round()).all() == (domain.partition(":")[0] == "int")
