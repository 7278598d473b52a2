"""A second opinion in a few lines: the dense Jacobian, slogdet, the returned number.

Run in a process of its own, in the folder of the project: `python independent.py` reads a
list of layers as JSON and prints what it saw of each. It knows nothing of ldjcheck, except
that it has a notebook's cells read by it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import runpy
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = 3
STEP = {torch.float64: 1e-5, torch.float32: 1e-2}  # of differences
SPREAD = 0.1  # parameters are moved by so much: many start where nothing shows
DOMAINS = {
    "real": torch.randn,
    "unit": lambda *shape: 0.05 + 0.9 * torch.rand(*shape),
    "cube": lambda *shape: 0.9 * (2 * torch.rand(*shape) - 1),
    "positive": lambda *shape: 0.2 + torch.rand(*shape),
    "bytes": lambda *shape: torch.randint(0, 256, shape).to(torch.get_default_dtype()),
}


def names_of(file: str, root: str, expression: str) -> dict[str, Any]:
    """Return what a source defines, imported from the project's root where it can be."""
    path = Path(file)
    if path.suffix == ".ipynb":
        from ldjcheck.records.asked import Target
        from ldjcheck.targets.load import load_source

        target = Target(text=file, source=file, expr=expression)
        return load_source(target, [expression]).namespace
    sys.path[:0] = [str(Path(root).resolve()), str(path.parent.resolve())]
    parts = path.relative_to(root).with_suffix("").parts
    if all(part.isidentifier() for part in parts):
        return vars(importlib.import_module(".".join(parts)))
    return runpy.run_path(file)


def looked_at(job: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Return the largest differences, in nats, of both directions and of the round trip."""
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    names = dict(names_of(job["file"], job["root"], job["expression"]))
    names.setdefault("torch", torch)
    layer = eval(job["expression"], names)
    if isinstance(layer, type):
        layer = layer()
    module = isinstance(layer, torch.nn.Module)
    x = DOMAINS[job["domain"]](SAMPLES, *job["shape"])
    scope = {**names, "f": layer, "one": torch.ones(SAMPLES, 1, *job["shape"][1:])}
    if module:
        layer.to(dtype)
        with torch.no_grad():
            # What starts itself from its first batch does so now, there or back.
            first = evaluated(job["call"], {**scope, "x": x})
            with contextlib.suppress(Exception):  # not every way back runs in training
                evaluated(job["back"], {**scope, "y": output(first)})
            layer.eval()
            for parameter in filter(lambda p: p.requires_grad, layer.parameters()):
                parameter += SPREAD * torch.randn_like(parameter)
    forward, y = difference(job["call"], "x", x, scope)
    seen = {"forward": forward}
    if job["back"]:
        seen["back"], again = difference(job["back"], "y", y, scope)
        seen["trip"] = float((again - x).abs().max())
    return seen


def difference(
    call: str, name: str, x: torch.Tensor, scope: dict[str, Any]
) -> tuple[float | None, torch.Tensor]:
    """Return the largest |reported - exact|, and the output; None where none is reported."""

    def run(value: torch.Tensor) -> tuple[torch.Tensor, Any]:
        torch.manual_seed(1)
        out = evaluated(call, {**scope, name: value})
        return output(out), None if isinstance(out, torch.Tensor) else out[1]

    y, ldj = run(x.clone())
    if ldj is None:
        return None, y.detach()
    exact = torch.linalg.slogdet(jacobians(lambda value: run(value)[0], x))[1]
    reported = torch.as_tensor(ldj).detach().to(torch.float64)
    if reported.numel() == 1:
        reported = reported.reshape(1).expand(SAMPLES)
    elif reported.shape[0] != SAMPLES or reported.numel() != SAMPLES:
        raise ValueError(f"the ldj has the shape {tuple(reported.shape)}")
    return float((reported.reshape(SAMPLES) - exact).abs().max()), y.detach()


def output(returned: Any) -> torch.Tensor:
    """Return the output of a call, with its ldj or without."""
    return returned if isinstance(returned, torch.Tensor) else returned[0]


def evaluated(call: str, scope: dict[str, Any]) -> Any:
    """Return what the call comes to, from a total of zeros that nobody else has."""
    return eval(call, {**scope, "zero": torch.zeros(SAMPLES)})


def jacobians(
    run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor
) -> torch.Tensor:
    """Return each sample's Jacobian, by differences where the graph cannot be had."""
    size = x[0].numel()
    try:
        rows = torch.autograd.functional.jacobian(run, x, strict=True)
        square = rows.reshape(SAMPLES, size, SAMPLES, size)
        return torch.stack([square[b, :, b] for b in range(SAMPLES)])
    except RuntimeError:
        width, columns = STEP[x.dtype], []
        for step in width * torch.eye(size).reshape(size, *x.shape[1:]):
            with torch.no_grad():
                columns.append((run(x + step) - run(x - step)).reshape(SAMPLES, size))
        return torch.stack(columns, 2) / (2 * width)


def main() -> None:
    """Print, as JSON, what was seen of each layer, or the error in a line."""
    warnings.simplefilter("ignore")
    seen = []
    for job in json.loads(sys.stdin.read()):
        for dtype in (torch.float64, torch.float32):  # some ask for single precision
            try:
                now = {**looked_at(job, dtype), "dtype": str(dtype).split(".")[1]}
                break
            except Exception as error:  # anything that a stranger's code may raise
                now = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        seen.append(now)
    print("\n" + json.dumps(seen))


if __name__ == "__main__":
    main()
