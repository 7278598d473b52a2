"""Networks that return a pair are told from flow layers by what they do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ldjcheck.api import check_layer, why_no_flow
from ldjcheck.records import Layer, Options

Pair = tuple[Tensor, Tensor]


class Net(nn.Module):
    def __init__(self, ins: int = 4, outs: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(ins, 8), nn.Tanh(), nn.Linear(8, outs))


class Network(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Conditioner(Net):
    def forward(self, x: Tensor) -> Pair:
        shift = self.net(x)
        return shift, torch.tanh(shift)


class LogScale(Net):
    def forward(self, x: Tensor) -> Pair:
        shift, log_scale = self.net(x), self.net(x) + 1
        return shift, log_scale


class OneDim(Net):
    """With one dim its second part has one number per sample, like an ldj."""

    def __init__(self) -> None:
        super().__init__(1, 2)

    def forward(self, x: Tensor) -> Pair:
        shift, log_scale = self.net(x).chunk(2, 1)
        return shift, log_scale.squeeze(1)


class Encoder(Net):
    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, x: Tensor) -> Pair:
        mean, log_var = self.net(x).chunk(2, 1)
        return mean, log_var


class Variances(Net):
    """As many variances as there are means: no law makes them the ldj of the means."""

    def forward(self, x: Tensor) -> Pair:
        hidden = self.net(x)
        return hidden, (hidden + x).exp()


class Bottleneck(Net):
    """A mean loss over the batch beside what is left of the input."""

    def forward(self, x: Tensor) -> Pair:
        mean, log_var = self.net(x), self.net(x + 1)
        return mean, -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()


class OntoSphere(nn.Module):
    """A map with no inverse, and beside it what divided it, one number per sample."""

    def forward(self, x: Tensor) -> Pair:
        length = x.norm(dim=1, keepdim=True)
        return x / length, length


class Denoiser(Net):
    def forward(self, x: Tensor) -> Pair:
        back = self.net(x)
        return back, ((back - x) ** 2).mean()


class Classifier(Net):
    def __init__(self) -> None:
        super().__init__(4, 10)

    def forward(self, x: Tensor) -> Pair:
        scores = self.net(x)
        return scores, F.log_softmax(scores, 1).amax(1)


class Base(nn.Module):
    def step(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Pair:
        return self.step(x), x.sum(1)


class Scale(nn.Module):
    """Right or wrong: `wrong` is the mean where the sum is right; no way back."""

    def __init__(self, *, wrong: bool) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(4))
        self.wrong = wrong

    def forward(self, x: Tensor) -> Pair:
        total = self.log_scale.mean() if self.wrong else self.log_scale.sum()
        return x * self.log_scale.exp(), total * torch.ones(len(x), dtype=x.dtype)


class Unsummed(Scale):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), self.log_scale * torch.ones_like(x)


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x + 1, torch.zeros(len(x))


def gain_of(factor: float, x: Tensor) -> Tensor:
    return math.log(factor) * torch.ones(len(x))


class ToldByFunction(nn.Module):
    """What it returns beside y is made with a logarithm, elsewhere; the count is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 3.0

    def forward(self, x: Tensor) -> Pair:
        return x * self.factor, gain_of(self.factor, x)


class ByItsCall(Net):
    """Is called by a method of its own for it, and has no forward."""

    def __call__(self, x: Tensor) -> Pair:
        bent = torch.tanh(self.net(x)).sum(1)
        det = 1 + 0.5 * bent * (1 - bent**2)
        return x + 0.1 * torch.tanh(x * bent[:, None]), det.abs().log()


class WholeBatch(nn.Module):
    """Half the sum over the batch as well, with no word of what it is meant as."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Pair:
        return x * self.a.exp(), self.a.sum() * 0.5 * len(x)


class TwiceUnsummed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        return torch.cat([a, b * torch.exp(s) + t], 1), s * 2


class Total(nn.Module):
    """A running total is passed in: whatever else it does, it is meant as a layer."""

    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        return z * 2, ldj + 1


class WayBack(Net):
    def forward(self, x: Tensor) -> Pair:
        return self.net(x), x.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        return y, y.sum(1)


class Standardised:
    """A way there and a way back, and no ldj: it scales data, as many a notebook does."""

    def transform(self, x: Tensor) -> Tensor:
        return x / 2

    def inverse_transform(self, x: Tensor) -> Tensor:
        return 2 * x


class HalvedAndTold(Standardised):
    """The same with an ldj."""

    def transform(self, x: Tensor) -> Pair:  # type: ignore[override]  # it tells more
        return x / 2, x.new_full((len(x),), -math.log(2)) * x[0].numel()

    def inverse_transform(self, x: Tensor) -> Pair:  # type: ignore[override]  # likewise
        return 2 * x, x.new_full((len(x),), math.log(2)) * x[0].numel()


def why(obj: object) -> str | None:
    torch.manual_seed(0)
    name = f"{type(obj).__name__}()"
    layer = Layer(target=name, name=name, obj=obj)
    return why_no_flow(layer, check_layer(layer, Options()), Options())


@pytest.mark.thinned(7)
@pytest.mark.parametrize(
    ("obj", "told"),
    [
        (Network(), "no flow layer: it returns no pair of output and ldj"),
        (Conditioner(), "no flow layer: what it returns beside y has the shape (3, 4)"),
        (LogScale(), "no flow layer: what it returns beside y has the shape (3, 4)"),
        (OneDim(), "no flow layer: what it returns beside y is no ldj"),
        (Encoder(), "no flow layer: it returns 6 numbers for 12, and no ldj"),
        (Variances(), "no flow layer: what it returns beside y has the shape (3, 4)"),
        (Bottleneck(), "no flow layer: what it returns beside y is no ldj"),
        (
            nn.Sequential(nn.Linear(3, 3), nn.ReLU()),
            "no flow layer: it returns no pair of output and ldj",
        ),
        (OntoSphere(), "no flow layer: what it returns beside y is no ldj"),
        (Denoiser(), "no flow layer: what it returns beside y is no ldj"),
        (Classifier(), "no flow layer: it returns 30 numbers for 12, and no ldj"),
        (Base(), "a base class: it raises NotImplementedError"),
        (Standardised(), "no flow layer: it returns no pair of output and ldj"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_network_is_no_flow_layer(obj: object, told: str) -> None:
    assert why(obj) == told


class LastOfSeveral(nn.Sequential):
    """A chain that keeps the ldj of its last step, and has no steps."""

    def forward(self, x: Tensor) -> Pair:
        for step in self:
            x, ldj = step(x)
        return x, ldj


def test_a_chain_without_steps_is_no_layer_yet_whatever_it_raises() -> None:
    told = why(LastOfSeveral())
    assert told is not None
    assert told.startswith("it holds no layers")


@pytest.mark.thinned(10)
@pytest.mark.parametrize(
    "obj",
    [Scale(wrong=False), Scale(wrong=True), Unsummed(wrong=False), Shift(), Total(),
     WayBack(), ToldByFunction(), WholeBatch(), TwiceUnsummed(), HalvedAndTold(),
     ByItsCall()],
    ids=["right", "wrong", "unsummed", "shift", "total", "way back", "by a function",
         "whole batch", "twice and unsummed", "a method each way", "its own call"],
)  # fmt: skip
def test_a_flow_layer_is_one_whether_it_is_right_or_wrong(obj: object) -> None:
    assert why(obj) is None


class Loss(nn.Module):
    """A flow's loss, made of its density: that is what is checked."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2]))

    def nll(self, x: Tensor) -> Tensor:
        z = x * self.log_s.exp()
        log_p = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1)
        return -(log_p + self.log_s.sum())

    def forward(self, x: Tensor) -> Tensor:
        return self.nll(x).mean()


class LossOfMixture(Loss):
    """Its density is of x itself: it maps x to nothing."""

    def nll(self, x: Tensor) -> Tensor:
        apart = x[:, None] - self.log_s[:, None]
        log_p = -0.5 * (apart**2 + math.log(2 * math.pi)).sum(2)
        return math.log(len(self.log_s)) - log_p.logsumexp(1)


class EncoderLoss(Loss):
    """As many numbers as x has, of which some x share them: no density of x."""

    def nll(self, x: Tensor) -> Tensor:
        z = (x - 0.3).abs() @ (self.log_s * torch.eye(len(self.log_s)) + 1)
        return -torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)


def test_a_loss_that_is_made_of_a_flows_density_is_checked_by_that() -> None:
    assert why(Loss()) is None


@pytest.mark.parametrize(
    "obj", [LossOfMixture(), EncoderLoss()], ids=["mixture", "encoder"]
)
def test_a_loss_of_another_density_is_none_of_a_flow(obj: object) -> None:
    assert why(obj) is not None


def test_what_is_no_flow_says_how_its_density_is_checked_all_the_same() -> None:
    told = why(LossOfMixture()) or ""
    assert told.startswith("no flow layer: it returns one number. To check its nll")
    assert told.endswith("--kind model")


class OneOfTwoDensities(nn.Module):
    """No flow by its methods: one density proves that it is one, the other is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(3))

    def log_prob(self, x: Tensor) -> Tensor:
        z = x * self.a.exp()
        base = torch.distributions.Normal(0.0, 1.0)
        return base.log_prob(z).sum(1) + self.a.sum()

    def bpd(self, x: Tensor) -> Tensor:
        dims = x.shape[1]
        nats = -self.log_prob(x) + dims * math.log(256) * (1 + x[:, 0].sigmoid())
        return nats / (dims * math.log(2))


@pytest.mark.slow
def test_what_one_density_proves_to_be_a_flow_is_one_though_another_is_wrong() -> None:
    assert why(OneOfTwoDensities()) is None
