"""Try an edit: does the ldj change and the map stay, and what is the mistake called?

The name follows from the edit; where the catalogue of findings decides by numbers (what
a dropped factor counts, whether a sign was the whole ldj's) it follows from the run. A
second name is accepted only when its own law holds in every number of the run too, so
that no experiment on this layer could tell the two apart.
"""

from __future__ import annotations

import ast
import builtins
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from .edits import replace
from .numerics import areas, differs, is_mask, is_whole, law, number, same, unsigned
from .oracle import call, call_again, draw_inputs, per_sample, prepare
from .planting import edited, outermost

if TYPE_CHECKING:
    from torch import Tensor

    from .case import Case, Shape
    from .mutations import Proposal

BATCH = 3
DRAWS = 4
LEAST = 1e-6  # nats by which an ldj must be off before it counts as wrong

LN2, LN10 = math.log(2), math.log(10)
MULTIPLES = (2, 0.5, 3, 1 / 3, 4, 0.25, -2, -0.5, 1.5, 2 / 3)
BASES = (LN2, LN10, 1 / LN2, 1 / LN10)

# Dropping one of these edits leaves what the catalogue names so.
NAMES: dict[str, tuple[str, ...]] = {
    "drop-term": ("missing-term",),
    "drop-log": ("missing-log",),
    "flip-sign": ("sign-flipped",),
    "mean-for-sum": ("mean-not-sum",),
    "log-base": ("wrong-log-base",),
    "twice": ("wrong-multiple",),
    "evaluate-elsewhere": ("evaluated-at-wrong-point",),
    "batch-in-count": ("wrong-dims-factor",),
    "batch-in-sum": ("batch-reduced",),
    "inside-a-term": ("wrong-derivative",),
}
# Here the catalogue's precedence decides between names that fit alike.
DECIDED: frozenset[str] = frozenset({"mean-for-sum", "batch-in-count", "batch-in-sum"})


@dataclass
class Trial:
    """One draw of one layer in one direction: what goes in and what is right."""

    layer: Any
    x: Tensor
    seed: int
    y: Tensor
    raw: Any
    ldj: Tensor
    diagonal: Tensor | None  # sum of |J_ii| of each sample
    forward: Tensor | None = None  # of an inverse: the ldj of the way back


@dataclass(frozen=True)
class Verdict:
    """The accepted names, most fitting first, and the wrong ldj for comparison."""

    names: tuple[str, ...]
    values: tuple[Tensor, ...]


class Bench:
    """The draws on which all edits of one case and direction are tried."""

    def __init__(self, case: Case, inverse: bool) -> None:
        self.case = case
        self.inverse = inverse
        self.trials: list[Trial] = []
        for shape in case.shapes[:2]:
            for seed in range(DRAWS):
                self.trials.append(self._trial(shape, seed))

    def _trial(self, shape: Shape, seed: int) -> Trial:
        layer = prepare(self.case, shape, seed)
        x = draw_inputs(self.case, shape, BATCH, seed)
        if self.inverse:
            x = call(self.case, layer, x, seed=seed)[0].detach()
        y, raw = call(self.case, layer, x, self.inverse, seed)
        ldj = per_sample(raw, BATCH, self.case.elementwise).detach()
        diagonal = self._diagonal(layer, x, seed)
        trial = Trial(layer, x, seed, y.detach(), raw, ldj, diagonal)
        if self.inverse:
            trial.forward = self._forward_ldj(trial)
        return trial

    def _diagonal(self, layer: Any, x: Tensor, seed: int) -> Tensor | None:
        def outputs(values: Tensor) -> Tensor:
            return call(self.case, layer, values, self.inverse, seed)[0].flatten(1)

        jacobian = torch.autograd.functional.jacobian(outputs, x)
        size = x[0].numel()
        if jacobian.shape[1] != size:
            return None
        rows = [jacobian[i, :, i].reshape(size, size) for i in range(len(x))]
        sums = torch.stack([row.diagonal().abs().sum() for row in rows])
        return sums.detach().to(torch.float64)

    def run(self, trial: Trial, inverse: bool | None = None) -> tuple[Tensor, Any]:
        """Return output and raw ldj of one trial, under whatever edit is in place."""
        way = self.inverse if inverse is None else inverse
        y, raw = call(self.case, trial.layer, trial.x, way, trial.seed)
        return y.detach(), raw

    def try_out(self, proposal: Proposal) -> Verdict | None:
        """Return the verdict on an edit, None when it is no planted mistake."""
        names = outermost(proposal.function)
        try:
            with edited(proposal.function.module, names, proposal.edits):
                runs = [self.run(trial) for trial in self.trials]
                again = [
                    call_again(self.case, trial.layer, trial.x) for trial in self.trials
                ]
                if self.inverse and not self._forward_is_untouched():
                    return None
        except Exception:  # an edit may break anything; then it is none of ours
            return None
        for trial, (y, _) in zip(self.trials, runs, strict=True):
            if y.shape != trial.y.shape or (y - trial.y).abs().max() > 1e-12:
                return None
        return self._judge(proposal, [raw for _, raw in runs], again)

    def _forward_is_untouched(self) -> bool:
        """Return whether an edit of the inverse leaves the forward ldj as it was."""
        return not any(
            trial.forward is None
            or differs(self._forward_ldj(trial), trial.forward, LEAST)
            for trial in self.trials
        )

    def _forward_ldj(self, trial: Trial) -> Tensor:
        """Return the forward ldj at the output of an inverse, as things stand."""
        _, raw = call(self.case, trial.layer, trial.y, False, trial.seed)
        return per_sample(raw, BATCH, self.case.elementwise).detach()

    def _judge(
        self, proposal: Proposal, raws: list[Any], again: list[Tensor | None]
    ) -> Verdict | None:
        values = []
        for trial, raw, second in zip(self.trials, raws, again, strict=True):
            value = _as_reported(raw, trial, self.case.elementwise)
            if value is None:
                return self._judge_shape(proposal, raws)
            if second is not None:
                other = _as_reported(second, trial, self.case.elementwise)
                if other is None or not same(other, value):
                    return None  # wrong by one way to ask, right by the other
            values.append(value)
        right = [trial.ldj for trial in self.trials]
        finite = all(bool(v.isfinite().all()) for v in values)
        changed = [
            differs(v, r, self._least()) for v, r in zip(values, right, strict=True)
        ]
        if not any(changed[:DRAWS]):
            return None  # right at the first shape, which is the one to be checked
        if not finite:
            return self._judge_abs(proposal, values, right)
        if 2 * sum(changed) < len(changed):
            return None
        names = self._names(proposal, values)
        return Verdict(names, tuple(values)) if names else None

    def _least(self) -> float:
        return max(LEAST, 10 * self.case.tolerance)

    def _judge_abs(
        self, proposal: Proposal, values: list[Tensor], right: list[Tensor]
    ) -> Verdict | None:
        """Judge an edit that gives NaN: only a lost abs may.

        Where the sign that was lost is one of the data, the ldj is right on a region.
        """
        if proposal.mistake != "drop-abs":
            return None
        signs = [
            v.sign().flatten(1)
            for v in self._values_of(proposal, proposal.dropped[0])
            if torch.is_tensor(v) and v.dim() > 1 and len(v) == BATCH
        ]
        by_data = any(bool((s != s[:1]).any()) for s in signs)
        names = ("missing-abs", "wrong-branch") if by_data else ("missing-abs",)
        for value, ldj in zip(values, right, strict=True):
            fine = value.isfinite()
            if differs(value[fine], ldj[fine], self._least()):
                names = ("wrong-branch", "missing-abs")
        return Verdict(names, tuple(values))

    def _judge_shape(self, proposal: Proposal, raws: list[Any]) -> Verdict | None:
        """Judge an edit that changes the shape of the ldj: (B, D), (B, 1), ..."""
        if proposal.mistake != "drop-axis":
            return None
        sums = []
        for trial, raw in zip(self.trials, raws, strict=True):
            if not torch.is_tensor(raw) or raw.dim() < 2 or len(raw) != BATCH:
                return None
            sums.append(raw.detach().flatten(1).sum(1))
            if differs(sums[-1], trial.ldj, self._least()):
                return None
        single = all(raw[0].numel() == 1 for raw in raws)
        return Verdict(("wrong-shape" if single else "not-reduced",), tuple(sums))

    # --- names -------------------------------------------------------------------

    def _names(self, proposal: Proposal, values: list[Tensor]) -> tuple[str, ...]:
        right = [trial.ldj for trial in self.trials]
        if all(bool((v == 0).all()) for v in values):
            return () if self.inverse else ("ldj-forgotten",)
        signs = proposal.mistake in {"flip-sign", "drop-factor"} and self.inverse
        if signs and law(values, right, lambda r: -r):
            return ("inverse-sign",)
        if proposal.mistake == "drop-factor":
            names = self._dropped(proposal)
        elif proposal.mistake == "drop-axis":
            names = ()  # only the shape can say so; a sum over all is batch-in-sum
        elif proposal.mistake == "drop-abs":
            names = ("wrong-branch", "missing-abs")
        else:
            names = NAMES[proposal.mistake]
        if proposal.count is not None:
            names = self._miscounted(proposal, names)
        if not names:
            return ()
        if proposal.region:
            names += ("wrong-branch",)
        if proposal.mistake not in DECIDED:
            names += self._laws(values, right)
        return tuple(dict.fromkeys(names))

    def _laws(self, values: list[Tensor], right: list[Tensor]) -> tuple[str, ...]:
        """Return names of whole-ldj laws that hold in every number of the run."""
        names = []
        if all(bool((r.abs() < 1e-9).all()) for r in right):
            return ("extra-term",)
        if law(values, right, lambda r: -r):
            names.append("inverse-sign" if self.inverse else "sign-flipped")
        if any(law(values, right, lambda r, q=q: q * r) for q in MULTIPLES):
            names.append("wrong-multiple")
        if any(law(values, right, lambda r, q=q: q * r) for q in BASES):
            names.append("wrong-log-base")
        if law(values, right, lambda r: r + 1):
            names.append("one-for-zero")
        if law(values, right, torch.exp) or self._is_diagonal_sum(values):
            names.append("missing-log")
        return tuple(names)

    def _is_diagonal_sum(self, values: list[Tensor]) -> bool:
        diagonals = [t.diagonal for t in self.trials if t.diagonal is not None]
        same = len(diagonals) == len(values)
        return same and law(values, diagonals, lambda d: d)

    def _dropped(self, proposal: Proposal) -> tuple[str, ...]:
        """Return what a dropped factor was: a number, a count of entries, a mask."""
        node, *more = proposal.dropped
        seen = self._values_of(proposal, node)
        for other in more:  # several factors of one product: counts, or nothing
            pairs = zip(seen, self._values_of(proposal, other), strict=True)
            seen = [a * b for a, b in pairs if is_whole(a) and is_whole(b)]
        if not seen:
            return ()
        numbers = [number(value) for value in seen]
        if isinstance(unsigned(node), ast.Constant):
            if more or numbers[0] is None:
                return ()
            return ("sign-flipped",) if numbers[0] == -1 else ("wrong-multiple",)
        masks = [is_mask(value) for value in seen]
        if all(torch.is_tensor(v) and v.numel() > 1 for v in seen) and any(masks):
            fixed = all(
                a.shape != b.shape or bool((a == b).all()) for a, b in pairwise(seen)
            )
            masked = "masked-dims-counted"
            return (masked,) if fixed else ("wrong-branch", masked)
        if any(n is None or n != int(n) or n < 1 for n in numbers) or proposal.divides:
            return ()
        return self._counted([int(n) for n in numbers if n is not None], seen)

    def _miscounted(
        self, proposal: Proposal, names: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return what a slip in a factor is: in a count, in a mask, or as it was."""
        assert proposal.count is not None
        seen = self._values_of(proposal, proposal.count)
        if seen and all(is_whole(value) for value in seen):
            by_one = isinstance(proposal.count, ast.BinOp) and isinstance(
                proposal.count.right, ast.Constant
            )
            lost = proposal.mistake == "drop-term" and by_one
            return ("wrong-dims-factor",) if lost else ()
        if any(is_mask(value) for value in seen):
            return ()  # a mask is dropped as a factor, whole
        return names

    def _counted(self, counts: list[int], seen: list[Any]) -> tuple[str, ...]:
        if not all(is_whole(value) for value in seen):
            return ()
        shapes = [tuple(trial.x.shape[1:]) for trial in self.trials]
        if len(counts) != len(shapes):
            return ()
        pairs = list(zip(counts, shapes, strict=True))
        if all(count == math.prod(shape) for count, shape in pairs):
            return ("missing-dims-factor",)
        if all(len(s) > 2 and c in areas(s) for c, s in pairs):
            return ("missing-spatial-factor",)
        return ("wrong-dims-factor",)

    def _values_of(self, proposal: Proposal, node: ast.expr) -> list[Any]:
        """Return the values that an expression has when the right layer runs."""
        seen: list[Any] = []

        def note(value: Any) -> Any:
            seen.append(value.detach() if torch.is_tensor(value) else value)
            return value

        file = proposal.function.file
        probe = replace(file, node, "planted_note(", node, ")")
        builtins.planted_note = note  # type: ignore[attr-defined]
        try:
            names = outermost(proposal.function)
            with edited(proposal.function.module, names, (probe,)):
                for trial in self.trials:
                    before = len(seen)
                    self.run(trial)
                    del seen[before + 1 :]
        except Exception:
            return []
        finally:
            del builtins.planted_note  # type: ignore[attr-defined]
        return seen


def _as_reported(raw: Any, trial: Trial, elementwise: bool) -> Tensor | None:
    """Return an ldj as `(batch,)` if it still has a shape that means one per sample."""
    right = torch.as_tensor(trial.raw)
    value = torch.as_tensor(raw).detach()
    if value.shape == right.shape or value.numel() == 1:
        return per_sample(value, BATCH, elementwise)
    if value.shape == (BATCH,):
        return value.to(torch.float64)
    return None
