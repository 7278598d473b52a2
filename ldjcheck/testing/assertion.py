"""`assert_ldj`: a check that raises when the layer's log-determinant is not proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ldjcheck.options.table import KEYWORDS
from ldjcheck.records.asked import Oracle
from ldjcheck.report_hooks import announce, unheard

if TYPE_CHECKING:
    import torch
    from torch.distributions.constraints import Constraint

    from ldjcheck.report import Report


class CheckKeywords(TypedDict, total=False):
    """What `ldjcheck.check` takes besides the layer."""

    shape: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None
    batch: int
    domain: str | Constraint | None
    context: Mapping[str, int | Sequence[int] | str] | None
    inputs: Any
    weights: str | Path | Mapping[str, Any] | None
    kwarg: Mapping[str, Any] | None
    convention: str
    direction: Literal["both", "forward", "inverse"]
    params: Literal["random", "as-is"]
    params_scale: float
    dims_limit: int
    mode: Literal["eval", "train"]
    kind: Literal["auto", "bijection", "dequantization", "split", "flow", "model"]
    wrt: Literal["auto", "input", "noise"]
    seed: int
    search: int
    dtype: Literal["float64", "as-written"]
    device: str | torch.device | None
    atol: float | None
    rtol: float | None
    select: Sequence[str]
    ignore: Sequence[str] | Mapping[str, str]
    strict: bool
    timeout: float | None
    ledger: bool
    pictures: bool
    jacobian: Oracle | None
    adapter: Any


def unknown_keyword(names: Mapping[str, object], *also: str) -> str | None:
    """Return what to say about the first name that is no option, with the nearest one."""
    from difflib import get_close_matches

    known = [*KEYWORDS, *also]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"there is no option {name!r}{hint}"
    return None


def has_words(reason: object) -> bool:
    """Return whether a reason says anything."""
    return isinstance(reason, str) and bool(reason.strip())


class _ReportedError(Exception):
    """What a check found out, to be raised; it survives a way to another process."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[_ReportedError], tuple[str, Report]]:
        return type(self), (str(self), self.report)


class LdjMismatch(_ReportedError, AssertionError):  # noqa: N818  # it is what the test found, like pytest.Failed
    """The layer's log-determinant is wrong. `report` holds all that is known."""

    __module__ = "ldjcheck"  # where users find it, and what test runners print


class LdjUnproven(LdjMismatch):
    """Nothing wrong was found, but the probe could not have shown it."""

    __module__ = "ldjcheck"


class LdjError(_ReportedError):
    """The layer could not be loaded, built or called. No assertion was made."""

    __module__ = "ldjcheck"


def failure_of(report: Report) -> LdjMismatch | LdjError | None:
    """Return what to raise for a report; None for a pass."""
    if report.status == "pass":
        return None
    from ldjcheck.report import failure

    text = failure.render(report.run)
    if report.status == "error":
        return LdjError(text, report)
    return (LdjUnproven if report.status == "unproven" else LdjMismatch)(text, report)


def assert_ldj(
    layer: Any,
    *,
    shape: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    batch: int = 3,
    domain: str | Constraint | None = None,
    context: Mapping[str, int | Sequence[int] | str] | None = None,
    inputs: Any = None,
    weights: str | Path | Mapping[str, Any] | None = None,
    kwarg: Mapping[str, Any] | None = None,
    convention: str = "auto",
    direction: Literal["both", "forward", "inverse"] = "both",
    params: Literal["random", "as-is"] = "random",
    params_scale: float = 0.3,
    dims_limit: int = 4096,
    mode: Literal["eval", "train"] = "eval",
    kind: Literal[
        "auto", "bijection", "dequantization", "split", "flow", "model"
    ] = "auto",
    wrt: Literal["auto", "input", "noise"] = "auto",
    seed: int = 0,
    search: int = 0,
    dtype: Literal["float64", "as-written"] = "float64",
    device: str | torch.device | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] | Mapping[str, str] = (),
    strict: bool = False,
    timeout: float | None = None,
    ledger: bool = False,
    pictures: bool = True,
    jacobian: Oracle | None = None,
    adapter: Any = None,
    allow_unproven: str | None = None,
) -> Report:
    """Return the report of a layer whose log-determinant is right.

    It takes what `check` takes. Besides, `allow_unproven` says why it is all right that
    nothing could be proved; mistakes are raised all the same.

    Raises:
        LdjMismatch: a mistake was found.
        LdjUnproven: nothing was found, but nothing could be proved either.
        LdjError: the layer could not be called at all.
        ValueError: as `check`; or a reason without words.
    """
    given = dict(locals())
    del given["allow_unproven"]
    __tracebackhide__ = True  # pytest then shows the caller's line
    if allow_unproven is not None and not has_words(allow_unproven):
        raise ValueError("allow_unproven needs a reason, such as 'identity by design'")
    from ldjcheck.api import check

    with unheard():
        report = check(**given)
    announce(report, asserted=True)
    failure = failure_of(report)
    if failure is None or (report.status == "unproven" and allow_unproven):
        return report
    raise failure
