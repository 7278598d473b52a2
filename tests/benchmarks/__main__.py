"""Print what exact values and whole checks cost, beside other ways and at real sizes.

Run from the repository root, with the tests importable:

    PYTHONPATH=tests python -m benchmarks [--picture FILE] [--quick]

Times are CPU seconds of this process with one thread, so that figures of one run can be held
against each other on any machine; what is long is left out, and said to be.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch.autograd.functional import jacobian

import ldjcheck
from benchmarks import flows
from benchmarks.goals import HEADS, goals
from benchmarks.test_calls_of_a_flow import Coupling, Flipped, Flow
from ldjcheck.running.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 8
_LONGEST = 20.0  # CPU seconds, after which larger sizes of one way are left out


# --- exact values -----------------------------------------------------------------------


def coupled(dims: int) -> Callable[[Tensor], Tensor]:
    """Return an affine coupling of vectors with a network of 64."""
    torch.manual_seed(0)
    half = dims // 2
    net = nn.Sequential(
        nn.Linear(half, 64), nn.Tanh(), nn.Linear(64, 2 * half)
    ).double()

    def f(x: Tensor) -> Tensor:
        a, b = x[:, :half], x[:, half:]
        s, t = net(a).chunk(2, 1)
        return torch.cat([a, b * torch.tanh(s).exp() + t], 1)

    return f


def convolved(dims: int) -> Callable[[Tensor], Tensor]:
    """Return an elementwise map of a sequence, scaled by a convolution of one half of it."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(1, 16, 3, padding=1), nn.Tanh(), nn.Conv1d(16, 1, 3, padding=1)
    ).double()

    def f(x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return torch.cat([a, b * torch.tanh(net(a[:, None])[:, 0]).exp()], 1)

    return f


def autoregressive(dims: int) -> Callable[[Tensor], Tensor]:
    """Return a map in which each entry is scaled by what comes before it."""
    torch.manual_seed(0)
    below = torch.tril(torch.randn(dims, dims, dtype=torch.float64), -1) / dims**0.5

    def f(x: Tensor) -> Tensor:
        return x * torch.tanh(x @ below.T).exp()

    return f


def by_ldjcheck(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return ldjcheck.exact_ldj(f, x)[1]


def by_batch(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    whole = jacobian(f, x)
    return torch.stack([torch.slogdet(whole[b, :, b])[1] for b in range(len(x))])


def by_sample(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    rows = [jacobian(lambda v: f(v[None])[0], one) for one in x]
    return torch.slogdet(torch.stack(rows))[1]


def by_vmap(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    rows = torch.func.vmap(torch.func.jacrev(lambda v: f(v[None])[0]))(x)
    return torch.slogdet(rows)[1]


def by_differences(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    step = 1e-6
    columns = []
    with torch.no_grad():
        for unit in torch.eye(x.shape[1], dtype=x.dtype):
            columns.append((f(x + step * unit) - f(x - step * unit)) / (2 * step))
    return torch.slogdet(torch.stack(columns, 2))[1]


MAPS = {"coupling": coupled, "convolution": convolved, "autoregressive": autoregressive}
WAYS = {
    "ldjcheck": by_ldjcheck,
    "vmap(jacrev)": by_vmap,
    "per sample": by_sample,
    "differences": by_differences,
    "whole batch": by_batch,
}
DIMS = (4, 16, 64, 192, 768, 3072)


def seconds_of(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call, the least of as many as take a tenth."""
    least, spent = math.inf, 0.0
    while True:
        started = time.process_time()
        result = call()
        taken = time.process_time() - started
        least, spent = min(least, taken), spent + taken
        if spent > 0.1:
            return least, result


def exact_values(dims: tuple[int, ...]) -> list[list[Any]]:
    """Return rows: map, way, seconds at each size, growth exponent, largest error."""
    rows = []
    for name, made in MAPS.items():
        truths: dict[int, Tensor] = {}
        for way, known in WAYS.items():
            times: list[float | None] = []
            error = 0.0
            for size in dims:
                if times and (times[-1] is None or times[-1] * 4 > _LONGEST):
                    times.append(None)
                    continue
                torch.manual_seed(1)
                x, f = torch.randn(BATCH, size, dtype=torch.float64), made(size)
                known(f, x)  # what is loaded on first use does not count
                taken, ldj = seconds_of(lambda: known(f, x))  # noqa: B023  # at once
                truth = truths.setdefault(size, ldj)
                error = max(error, float((ldj - truth).detach().abs().max()))
                times.append(taken)
            rows.append([name, way, *times, growth(dims, times), error])
    return rows


def growth(sizes: tuple[int, ...], times: list[float | None]) -> float | None:
    """Return p in time ~ size ** p, of the last two sizes that were run."""
    known = [(n, t) for n, t in zip(sizes, times, strict=True) if t]
    if len(known) < 2:
        return None
    (n0, t0), (n1, t1) = known[-2:]
    return math.log(t1 / t0) / math.log(n1 / n0)


# --- whole checks -----------------------------------------------------------------------


@dataclass
class Counter:
    """Counts calls of layers, and the entries put through them, in the place of the usual.

    A pass is what two samples of the shape that is checked take, the least batch that there
    is: a call at a small copy is a small part of one.
    """

    calls: int = 0
    entries: int = 0

    def passes(self, shape: tuple[int, ...]) -> float:
        return self.entries / (2 * math.prod(shape))

    def __enter__(self) -> Counter:
        self.plain = Runner.run

        def counted(
            runner: Runner, way: Any, x: Tensor, *more: Any, **options: Any
        ) -> Any:
            self.calls += 1
            self.entries += x.numel()
            return self.plain(runner, way, x, *more, **options)

        Runner.run = counted  # type: ignore[method-assign]  # for a moment
        return self

    def __exit__(self, *raised: object) -> None:
        Runner.run = self.plain  # type: ignore[method-assign]


def couplings(count: int, wrong: bool = False) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = [Coupling() for _ in range(count)]
    if wrong:
        layers[count // 2] = Flipped()
    return Flow(*layers)


CHECKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...] | None]] = {
    **{f"{k} couplings, 6 dims": (lambda k=k: couplings(k), None) for k in (1, 4, 16, 64)},
    **{
        f"{k} couplings, one wrong": (lambda k=k: couplings(k, wrong=True), None)
        for k in (4, 16)
    },
    "coupling 1x28x28": (flows.coupling, (1, 28, 28)),
    "coupling 1x28x28, wrong": (flows.wrong_coupling, (1, 28, 28)),
    "Glow of 2 levels, 3x8x8": (
        lambda: flows.Glow(levels=2, steps=2, hidden=16), (3, 8, 8),
    ),
    "flow of images 1x28x28": (flows.multi_scale, (1, 28, 28)),
    "Glow of 3 levels, 3x32x32": (flows.Glow, (3, 32, 32)),
}  # fmt: skip


def whole_checks(quick: bool) -> list[list[Any]]:
    """Return rows: layer, verdict, name, fix, CPU seconds, calls, passes, memory."""
    rows = []
    for wrong in (False, True):  # what is loaded on first use does not count
        ldjcheck.check(couplings(2, wrong=wrong))
    for name, (made, shape) in CHECKS.items():
        if quick and shape is not None and math.prod(shape) > 784:
            continue
        layer = made()
        with Counter() as counter:
            started = time.process_time()
            report = ldjcheck.check(layer, shape=shape)
            taken = time.process_time() - started
        passes = "" if shape is None else round(counter.passes(shape))
        errors = [f for f in report.findings if f.severity == "error"]
        rows.append(
            [
                name, report.status, errors[0].code if errors else "",
                "yes" if errors and errors[0].fix else "", taken, counter.calls, passes,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            ]
        )  # fmt: skip
        print("...", *rows[-1], flush=True)
    return rows


def picture(path: str, dims: tuple[int, ...], rows: list[list[Any]]) -> None:
    """Draw the seconds over dims, one panel a map."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(MAPS), figsize=(12, 4), sharey=True)
    for panel, name in zip(axes, MAPS, strict=True):
        for marker, row in zip("osv^D", [r for r in rows if r[0] == name], strict=True):
            panel.loglog(dims, row[2 : 2 + len(dims)], marker=marker, label=row[1])
        panel.set_title(name)
        panel.set_xlabel("dims")
    axes[0].set_ylabel(f"CPU seconds, {BATCH} samples")
    axes[-1].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the tables of whole checks, of exact values, and of what is aimed at."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--picture", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="leave out the largest")
    parser.add_argument(
        "--only", choices=("checks", "values"), help="one of the tables, and its goals"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[list[Any]] = []
    if asked.only != "values":  # first: their memory is that of no whole Jacobian
        heads = [
            "layer",
            "verdict",
            "name",
            "fix",
            "CPU s",
            "calls",
            "passes",
            "memory (GB)",
        ]
        rows = whole_checks(asked.quick)
        print(tabulate(rows, heads, tablefmt="github", floatfmt=".3g"))
    dims = DIMS[:4] if asked.quick else DIMS
    exact: list[list[Any]] = []
    if asked.only != "checks":
        exact = exact_values(dims)
        heads = ["map", "way", *(f"D = {d}" for d in dims), "exponent", "largest error"]
        print(tabulate(exact, heads, tablefmt="github", floatfmt=".2g", missingval="-"))
    aims = [measured.row for measured in goals(exact, rows, dims)]
    print(tabulate(aims, HEADS, tablefmt="github"))
    if asked.picture and exact:
        picture(asked.picture, dims, exact)


if __name__ == "__main__":
    main()
