"""Whether a law holds on every sample of every configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ldjcheck.records import Verdict

_FITS = 1e-7  # relative; a law that holds does so to rounding


def holds_everywhere(verdict: Verdict, law: Callable[[Tensor], Tensor]) -> bool:
    """Return whether reported = law(exact) throughout, and exact = reported does not.

    One number that happens to fit is no evidence: two configurations at least must show
    the law at work.
    """
    import torch

    shown = 0
    for _, side, good in verdict.usable:
        if side.reported is None or side.exact is None:
            return False
        reported, exact = side.reported[good], side.exact[good]
        expected = law(exact)
        if not torch.isfinite(reported).all():
            return False
        if not torch.allclose(reported, expected, rtol=_FITS, atol=_FITS):
            return False
        shown += not torch.allclose(reported, exact, rtol=_FITS, atol=_FITS)
    return shown >= 2
