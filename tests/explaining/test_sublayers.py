"""Which sublayer of a flow is wrong, and what a flow makes of right ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import transforms

import ldjcheck
from ldjcheck.explaining import diagnosed_alone, sublayers


class Scale(nn.Module):
    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.7, dims))

    def forward(self, x: Tensor) -> Any:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Any:
        return y * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(y))


class Couple(nn.Module):
    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        torch.manual_seed(dims)
        self.net = nn.Sequential(nn.Linear(dims // 2, 8), nn.Tanh(), nn.Linear(8, dims))

    def parameters_for(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = self.net(kept).chunk(2, dim=1)
        return torch.tanh(scale), shift

    def forward(self, x: Tensor) -> Any:
        kept, moved = x.chunk(2, dim=1)
        s, t = self.parameters_for(kept)
        return torch.cat([moved * s.exp() + t, kept], dim=1), s.sum(dim=1)

    def inverse(self, y: Tensor) -> Any:
        moved, kept = y.chunk(2, dim=1)
        s, t = self.parameters_for(kept)
        return torch.cat([kept, (moved - t) * (-s).exp()], dim=1), -s.sum(dim=1)


class Doubled(Scale):
    def forward(self, x: Tensor) -> Any:
        y, ldj = super().forward(x)
        return y, 2 * ldj


class Averaged(Couple):
    def forward(self, x: Tensor) -> Any:
        kept, moved = x.chunk(2, dim=1)
        s, t = self.parameters_for(kept)
        return torch.cat([moved * s.exp() + t, kept], dim=1), s.mean(dim=1)


class Silent(Couple):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x)[0], torch.zeros(len(x))


class Odd(nn.Module):
    """x + tanh(x) / 3, with a derivative that belongs to no known mistake."""

    def forward(self, x: Tensor) -> Any:
        slope = 1 + (1 - torch.tanh(x)) / 3
        return x + torch.tanh(x) / 3, torch.log(slope).sum(dim=1)

    def inverse(self, y: Tensor) -> Any:
        raise NotImplementedError


class Chain(nn.Module):
    """Runs layers one after another, and adds up what they report."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Any:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total

    def inverse(self, y: Tensor) -> Any:
        total = torch.zeros(len(y))
        for layer in reversed(self.layers):
            y, ldj = layer.inverse(y)
            total = total + ldj
        return y, total


class Folded(nn.Sequential):
    def forward(self, x: Tensor) -> Any:
        total: Any = 0.0
        for layer in self:
            x, ldj = layer(x)
            total = total + ldj
        return x, total


class Scales(nn.Module):
    """Two scales: half of the dims leave after the first."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.first = Chain(Scale(), Couple())
        self.second = Chain(Couple(2), last)

    def forward(self, x: Tensor) -> Any:
        x, ldj = self.first(x)
        early, late = x.chunk(2, dim=1)
        late, more = self.second(late)
        return torch.cat([early, late], dim=1), ldj + more


def check(flow: Any, **options: Any) -> dict[str, Any]:
    report = ldjcheck.check(flow, shape=(4,), direction="forward", **options)
    result: dict[str, Any] = report.to_dict()["results"][0]
    return result


def wrong(result: dict[str, Any]) -> list[str | None]:
    return [line["sublayer"] for line in result["sublayers"] if line["is_wrong"]]


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "flow",
    [
        Chain(Scale(), Couple(), Couple(), Scale()),
        Folded(Scale(), Chain(Couple(), Scale()), Couple()),
        Scales(Scale(2)),
    ],
    ids=["chain", "nested", "two scales"],
)
def test_a_right_flow_passes(flow: nn.Module) -> None:
    assert check(flow)["status"] == "pass"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "sublayer", "code"),
    [
        (Chain(Scale(), Doubled(), Couple()), "layers[1]", "LDJ114"),
        (Folded(Scale(), Chain(Couple(), Averaged())), "[1].layers[1]", "LDJ105"),
        (Scales(Doubled(2)), "second.layers[1]", "LDJ114"),
        (Chain(Couple(), Silent(), Scale()), "layers[1]", "LDJ110"),
        (Chain(Scale(), Odd(), Couple(), Scale()), "layers[1]", "LDJ120"),
    ],
    ids=["chain", "nested", "two scales", "silent", "odd"],
)
def test_the_wrong_sublayer_is_named(flow: nn.Module, sublayer: str, code: str) -> None:
    result = check(flow)
    assert wrong(result) == [sublayer]
    assert [f["code"] for f in result["findings"]] == [code]
    assert any(f"sublayer `{sublayer}`" in e for e in result["findings"][0]["evidence"])


class Turn(Scale):
    """A rotation whose matrix was rounded to float32: its determinant is not quite 1."""

    def __init__(self) -> None:
        super().__init__()
        turn = torch.linalg.matrix_exp(torch.randn(4, 4).triu(1) * 2)
        self.register_buffer("w", torch.linalg.qr(turn)[0] * (1 + 3e-7))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x @ self.w, torch.zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.linalg.solve(self.w.T, y.T).T, torch.zeros(len(y))


@pytest.mark.slow
def test_what_float32_has_rounded_is_no_second_mistake() -> None:
    torch.manual_seed(0)
    assert wrong(check(Chain(Scale(), Turn(), Doubled()))) == ["layers[2]"]


@pytest.mark.slow
def test_two_wrong_sublayers_share_the_error() -> None:
    result = check(Chain(Scale(), Averaged(), Doubled()))
    assert wrong(result) == ["layers[1]", "layers[2]"]
    assert {f["code"] for f in result["findings"]} == {"LDJ105", "LDJ114"}
    first = next(c for c in result["checks"] if c["direction"] == "forward")
    off = sum(line["reported"] - line["exact"] for line in result["sublayers"])
    assert off == pytest.approx(first["samples"][0]["difference"])


@pytest.mark.slow
def test_equal_sublayers_with_one_mistake_are_one_finding() -> None:
    result = check(Chain(Averaged(), Scale(), Averaged()))
    assert wrong(result) == ["layers[0]", "layers[2]"]
    assert [f["code"] for f in result["findings"]] == ["LDJ105"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "asked"),
    [
        (Chain(Averaged(), Averaged(), Averaged()), [Averaged]),
        (Chain(Averaged(), Doubled(), Averaged()), [Averaged, Doubled]),
    ],
    ids=["one class", "two classes"],
)
def test_of_sublayers_that_are_alike_one_is_explained(
    flow: nn.Module, asked: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[type] = []

    def explained(layer: Any, *rest: Any) -> Any:
        seen.append(type(layer.obj))
        return diagnosed_alone(layer, *rest)

    monkeypatch.setattr(sublayers, "diagnosed_alone", explained)
    assert check(flow)["status"] == "fail"
    assert seen == asked


@pytest.mark.slow
def test_equal_sublayers_whose_mistake_has_no_name_are_one_finding_too() -> None:
    result = check(Chain(Odd(), Scale(), Odd()))
    assert wrong(result) == ["layers[0]", "layers[2]"]
    assert [f["code"] for f in result["findings"]] == ["LDJ120"]


# Mistakes of the flow, with sublayers that are right


class Drops(Chain):
    def forward(self, x: Tensor) -> Any:
        total = torch.zeros(len(x))
        for index, layer in enumerate(self.layers):
            if index == 1:
                x, _ = layer(x)  # dropped
                continue
            x, ldj = layer(x)
            total = total + ldj
        return x, total


class KeepsLast(Chain):
    def forward(self, x: Tensor) -> Any:
        for layer in self.layers:
            x, ldj = layer(x)
        return x, ldj


class CountsTwice(Chain):
    def forward(self, x: Tensor) -> Any:
        x, total = self.layers[0](x)
        for layer in self.layers[1:]:
            x, ldj = layer(x)
            total = total + ldj
        return x, total + ldj


class TurnsOne(Chain):
    def forward(self, x: Tensor) -> Any:
        x, first = self.layers[0](x)
        x, second = self.layers[1](x)
        x, third = self.layers[2](x)
        return x, first - second + third


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "sublayers", "code", "says"),
    [
        (Drops, ["layers[1]"], "LDJ110", "leaves out the log-determinant of sublayer"),
        (
            KeepsLast,
            ["layers[0]", "layers[1]"],
            "LDJ110",
            "only the log-determinant of",
        ),
        (CountsTwice, ["layers[2]"], "LDJ114", "is counted twice"),
        (TurnsOne, ["layers[1]"], "LDJ104", "has the wrong sign"),
    ],
)
def test_what_a_flow_does_to_right_sublayers(
    flow: type[Chain], sublayers: list[str], code: str, says: str
) -> None:
    result = check(flow(Scale(), Couple(), Scale()))
    assert wrong(result) == sublayers
    finding = result["findings"][0]
    assert finding["code"] == code
    assert says in finding["message"]
    assert any("right by itself" in each for each in finding["evidence"])


@pytest.mark.slow
def test_a_dropped_ldj_is_shown_where_the_sublayer_is_called() -> None:
    finding = check(Drops(Scale(), Couple(), Scale()))["findings"][0]
    assert finding["location"]["text"] == "x, _ = layer(x)  # dropped"


@pytest.mark.slow
def test_a_sublayer_that_means_the_other_sign_is_in_order_when_the_flow_turns_it() -> (
    None
):
    class Minus(Scale):
        def forward(self, x: Tensor) -> Any:
            y, ldj = super().forward(x)
            return y, -ldj

    class Knows(Chain):
        def forward(self, x: Tensor) -> Any:
            x, first = self.layers[0](x)
            x, second = self.layers[1](x)
            return x, second - first

    assert check(Knows(Minus(), Couple()))["status"] == "pass"
    result = check(Knows(Minus(), Averaged()))
    assert wrong(result) == ["layers[1]"]


class Running(nn.Module):
    """The same flow with a running total; `reset` loses what came before."""

    def __init__(self, mistake: str = "") -> None:
        super().__init__()
        self.mistake = mistake
        self.first, self.second = Scale(), Couple()

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        z, more = self.first(z)
        ldj = ldj + more
        z, more = self.second(z)
        if self.mistake == "drop":
            return z, ldj
        return z, ldj + more


@pytest.mark.slow
def test_sublayers_are_found_under_a_running_total() -> None:
    assert check(Running())["status"] == "pass"
    assert wrong(check(Running("drop"))) == ["second"]


class Flipped(transforms.TanhTransform):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -super().log_abs_det_jacobian(x, y)


@pytest.mark.slow
def test_a_composed_transform_of_torch() -> None:
    flow = transforms.ComposeTransform(
        [
            transforms.AffineTransform(1.0, 2.0),
            Flipped(),
            transforms.AffineTransform(0.5, 3.0),
        ]
    )
    result = check(flow)
    assert wrong(result) == ["parts[1]"]
    assert result["findings"][0]["code"] == "LDJ104"
    assert "sublayer `parts[1]` (Flipped)" in result["findings"][0]["message"]


@pytest.mark.slow
def test_a_transform_that_forgets_one_of_its_parts() -> None:
    class Forgets(transforms.Transform):
        domain = codomain = torch.distributions.constraints.real
        bijective = True

        def __init__(self) -> None:
            super().__init__()
            self.first = transforms.AffineTransform(1.0, 2.0)
            self.second = transforms.AffineTransform(0.0, 3.0)

        def _call(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

        def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
            return self.first.log_abs_det_jacobian(x, self.first(x))

    result = check(Forgets())
    assert wrong(result) == ["second"]
    assert result["findings"][0]["code"] == "LDJ110"


@pytest.mark.slow
def test_a_composite_transform_of_nflows() -> None:
    library = pytest.importorskip("nflows.transforms")

    class Wrong(library.LULinear):  # type: ignore[name-defined,misc]  # imported just now
        def forward(self, inputs: Tensor, context: Any = None) -> Any:
            outputs, ldj = super().forward(inputs, context)
            return outputs, 3 * ldj

    flow = library.CompositeTransform(
        [
            library.ActNorm(4),
            Wrong(4),
            library.MaskedAffineAutoregressiveTransform(4, 8),
            library.ReversePermutation(4),
        ]
    )
    result = check(flow)
    assert wrong(result) == ["_transforms[1]"]
    assert result["findings"][0]["location"]["text"] == "return outputs, 3 * ldj"


@pytest.mark.slow
def test_the_report_draws_the_sublayers_before_the_lines() -> None:
    found = ldjcheck.check(Drops(Scale(), Couple()), shape=(4,), direction="forward")
    report = found.details
    assert "By sublayer (sample 0)" in report
    assert "> layers[1] Couple" in report
    assert report.index("By sublayer") < report.index("Where it happens")
    assert max(map(len, report.splitlines())) <= 80


@pytest.mark.slow
def test_a_profiler_of_the_users_is_put_back() -> None:
    import sys

    def profiler(*event: object) -> None:
        """Stand for a profiler that runs already."""

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        check(Drops(Scale(), Couple()))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)


def test_a_list_of_layers_with_a_way_back_makes_a_flow() -> None:
    assert check(Chain(Scale(), Couple()))["kind"] == "flow"
    assert check(Couple())["kind"] == "bijection"


class Solved(nn.Module):
    """y = x + a tanh(x) of each dim; the way back solves for x by Newton's steps."""

    def __init__(self, sign: float = -1.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.4))
        self.sign = sign

    def slopes(self, x: Tensor) -> Tensor:
        return 1 + torch.sigmoid(self.a) * (1 - x.tanh() ** 2)

    def forward(self, x: Tensor) -> Any:
        y = x + torch.sigmoid(self.a) * x.tanh()
        return y, self.slopes(x).log().sum(1)

    def inverse(self, y: Tensor) -> Any:
        x = y
        with torch.no_grad():
            for _ in range(8):
                x = x - (self(x)[0] - y) / self.slopes(x)
        return x, self.sign * self(x)[1]


class ByDims(nn.Module):
    """Every dim is an event of its own to the layer inside; then come scales."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Solved()
        self.log_scale = nn.Parameter(torch.tensor([0.4, -0.3, 0.6, 0.1]))

    def forward(self, x: Tensor) -> Any:
        y, each = self.inner(x.reshape(-1, 1))
        ldj = each.reshape(len(x), -1).sum(1) + self.log_scale.sum()
        return y.reshape(len(x), -1) * self.log_scale.exp(), ldj

    def inverse(self, y: Tensor) -> Any:
        y = y * (-self.log_scale).exp()
        x, each = self.inner.inverse(y.reshape(-1, 1))
        ldj = each.reshape(len(y), -1).sum(1) - self.log_scale.sum()
        return x.reshape(len(y), -1), ldj


@pytest.mark.slow
def test_a_sublayer_that_takes_pieces_hides_no_other() -> None:
    report = ldjcheck.check(Chain(Doubled(), ByDims()), shape=(4,))
    assert report.status == "fail"
    told = [line.sublayer for line in report.result.sublayers if line.is_wrong]
    assert told == ["layers[0]"], report


@pytest.mark.slow
def test_a_small_miss_of_a_solver_is_not_what_is_wrong_with_its_ldj() -> None:
    class Halved(Solved):
        """Halves an interval instead, and stops 6e-8 before the end."""

        def inverse(self, y: Tensor) -> Any:
            low, high = y - 2, y + 2
            with torch.no_grad():
                for _ in range(26):
                    x = (low + high) / 2
                    is_above = self(x)[0] > y
                    high = torch.where(is_above, x, high)
                    low = torch.where(is_above, low, x)
            return x, self.sign * self(x)[1]

    assert ldjcheck.check(Halved(), shape=(2,)).status == "pass"
    report = ldjcheck.check(Halved(sign=1.0), shape=(2,))
    assert [f.code for f in report.findings] == ["LDJ302"], report


@pytest.mark.slow
def test_the_steps_of_a_solver_are_no_sublayers() -> None:
    report = ldjcheck.check(Chain(Scale(), Solved(sign=1.0)), shape=(4,))
    back = [s for s in report.result.sublayers if s.direction == "inverse"]
    assert [(s.sublayer, s.is_wrong) for s in back] == [
        ("layers[1]", True),
        ("layers[0]", False),
    ], report
    assert [f.code for f in report.findings] == ["LDJ302"], report


class RowsAlone(nn.Module):
    """A scale for each channel, whose ldj counts the rows of an image and not its columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.7, channels))

    def forward(self, x: Tensor) -> Any:
        ldj = self.log_scale.sum() * x.shape[2]
        return x * self.log_scale[:, None, None].exp(), ldj.expand(len(x))


class OfTwoScales(nn.Module):
    """A model that leaves half of its channels at a squeeze, and scales the others."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = RowsAlone(16)

    def log_prob(self, x: Tensor) -> Tensor:
        base = torch.distributions.Normal(0.0, 1.0)
        kept, left = nn.functional.pixel_unshuffle(x, 2).chunk(2, 1)
        z, ldj = self.scale(nn.functional.pixel_unshuffle(kept, 2))
        logs = (base.log_prob(each).flatten(1).sum(1) for each in (z, left))
        return sum(logs) + ldj


@pytest.mark.slow
def test_a_sublayer_of_a_model_is_explained_in_its_own_sizes() -> None:
    """Of the model's own, the width that is missing is a fourth of W."""
    report = ldjcheck.check(OfTwoScales(), kind="model", shape=(2, 8, 8))
    first = report.findings[0]
    assert first.code == "LDJ103"
    assert first.message.endswith("wrong count: it needs W times as much.")
    assert first.fix is not None
    assert first.location is not None
    assert first.location.text == "ldj = self.log_scale.sum() * x.shape[2]"
