"""What speed is aimed at: a line each, measured in one process, reached or not."""

from __future__ import annotations

import importlib.util
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

import ldjcheck
from benchmarks.test_calls_of_a_flow import Coupling, Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 120.0  # seconds for one check
HEADS = ["goal", "wanted", "measured", "reached"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One goal, and what a run came to; at most so much is wanted, or at least."""

    what: str
    wanted: float
    found: float
    unit: str = ""
    at_least: bool = False

    @property
    def row(self) -> list[str]:
        """Return what, wanted, measured, reached."""
        word = "at least" if self.at_least else "at most"
        reached = (
            self.found >= self.wanted if self.at_least else self.found <= self.wanted
        )
        return [
            self.what,
            f"{word} {self.wanted:g}{self.unit}",
            f"{self.found:.3g}{self.unit}",
            "yes" if reached else "no",
        ]


def goals(
    values: list[list[Any]], checks: list[list[Any]], dims: tuple[int, ...]
) -> Iterator[Measured]:
    """Yield every goal, from the rows of both other tables and a few further checks.

    Those of a table that is not there are left out.
    """
    seconds = {
        (row[0], row[1]): dict(zip(dims, row[2:], strict=False)) for row in values
    }
    for name in dict.fromkeys(row[0] for row in values):
        ours, dense = seconds[name, "ldjcheck"], seconds[name, "vmap(jacrev)"]
        for size in (n for n in dims if n == 192):
            what = f"{name}, {size} dims: exact_ldj over the fastest whole Jacobian"
            yield Measured(what, 1.0, ours[size] / dense[size])
        for size in (n for n in dims if n == 3072):
            what = f"{name}, {size} dims: the fastest whole Jacobian over exact_ldj"
            yield Measured(what, 50.0, dense[size] / ours[size], at_least=True)
    if checks:
        yield from _of_checks({row[0]: row for row in checks})
        yield from _of_libraries()
        yield from _of_models()


def _of_checks(checks: dict[str, list[Any]]) -> Iterator[Measured]:
    """Yield what whole checks cost: their CPU seconds, passes and GB."""

    def cost(name: str) -> tuple[float, int, float]:
        *_, taken, _, passes, memory = checks[name]
        return taken, passes, memory

    for name, wanted in (("coupling 1x28x28", 150), ("coupling 1x28x28, wrong", 300)):
        yield Measured(f"{name}: passes of the same batch", wanted, cost(name)[1])
    right, wrong = "{} couplings, 6 dims", "{} couplings, one wrong"
    bare = _bare_jacobian()
    what = "4 couplings, 6 dims: check over a bare Jacobian with slogdet"
    yield Measured(what, 30.0, cost(right.format(4))[0] / bare)
    for count in (4, 16):
        over = cost(wrong.format(count))[0] / cost(right.format(count))[0]
        yield Measured(f"{count} couplings: a wrong one over all right", 3.0, over)
    deep = cost(right.format(64))[0] / cost(right.format(16))[0]
    what = "couplings, 16 to 64: growth exponent"
    yield Measured(what, 1.0, math.log(deep) / math.log(4))
    for name in ("flow of images 1x28x28", "Glow of 3 levels, 3x32x32"):
        if name in checks:
            taken, _, memory = cost(name)
            yield Measured(f"{name}: CPU time", 60.0, taken, " s")
            yield Measured(f"{name}: peak memory", 2.0, memory, " GB")


def _bare_jacobian() -> float:
    """Return the CPU seconds of one Jacobian of each sample, and its log-determinant."""
    torch.manual_seed(0)
    flow, x = Flow(*(Coupling() for _ in range(4))).double(), torch.randn(3, 6).double()

    def bare() -> None:
        rows = [jacobian(lambda v: flow(v[None])[0][0], one) for one in x]
        torch.linalg.slogdet(torch.stack(rows))

    bare()
    return min(_seconds(bare) for _ in range(20))


def _seconds(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _of_libraries() -> Iterator[Measured]:
    """Yield flows of libraries, where they are there."""
    if importlib.util.find_spec("nflows"):
        from nflows.transforms import (
            CompositeTransform,
            MaskedAffineAutoregressiveTransform,
            ReversePermutation,
        )

        torch.manual_seed(0)
        layers = [
            layer
            for _ in range(8)
            for layer in (
                ReversePermutation(6),
                MaskedAffineAutoregressiveTransform(6, hidden_features=32),
            )
        ]
        yield _of_check("nflows, MAF of 8 layers", 2.0, CompositeTransform(layers), 6)
    if importlib.util.find_spec("zuko"):
        import zuko

        torch.manual_seed(0)
        flow = zuko.flows.NSF(6, transforms=3, hidden_features=(32, 32))
        yield _of_check("zuko, NSF of 3 transforms", 4.0, flow, 6)


def _of_check(what: str, wanted: float, layer: Any, size: int) -> Measured:
    taken = _seconds(lambda: ldjcheck.check(layer, shape=(size,), timeout=LIMIT))
    return Measured(f"{what}: CPU time", wanted, taken, " s")


class Model(nn.Module):
    """Two scalings of 16 dims, and a base that each mistake writes in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scales = nn.ParameterList(
            [nn.Parameter(torch.zeros(16)) for _ in range(2)]
        )

    def flow(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = x.new_zeros(len(x))
        for log_scale in self.log_scales:
            x, ldj = torch.sinh(x * log_scale.exp()), ldj + log_scale.sum()
            ldj = ldj + torch.log1p(x**2).sum(dim=1) / 2
        return x, ldj

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        return self.base(z) + ldj

    def base(self, z: Tensor) -> Tensor:
        raise NotImplementedError


class WithoutConstant(Model):
    def base(self, z: Tensor) -> Tensor:
        return -(z**2).sum(dim=1) / 2


class Averaged(Model):
    def base(self, z: Tensor) -> Tensor:
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).mean(dim=1)


class Forgotten(Model):
    def log_prob(self, x: Tensor) -> Tensor:
        return self.flow(x)[1]


MISTAKES = {"2 pi missing": WithoutConstant, "mean for sum": Averaged,
            "prior forgotten": Forgotten}  # fmt: skip


def _of_models() -> Iterator[Measured]:
    """Yield how long it takes to name what is wrong with a density; infinite if it is not."""
    for what, made in MISTAKES.items():
        started = time.process_time()
        report = ldjcheck.check(made(), shape=(16,), kind="model")
        taken = time.process_time() - started
        named = [f.code for f in report.findings if f.severity == "error"]
        known = bool(named) and "LDJ199" not in named
        goal = f"model of 16 dims, {what}: named in CPU time"
        yield Measured(goal, 10.0, taken if known else math.inf, " s")
