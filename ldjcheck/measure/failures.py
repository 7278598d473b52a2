"""What came of the tries to call a layer, and the message when none worked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from torch import Tensor

from ldjcheck.domains import describe
from ldjcheck.errors import CannotCheckError, NoBaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.measure.runner import LayerRaisedError
    from ldjcheck.records import Calls, Domain, Shape

_SHOWN = 8  # lines of what was tried; the rest is more of the same
_OF_THE_CODE = (AttributeError, NameError, ImportError)  # no other input mends these

_GIVEN = (Tensor, tuple, dict)  # what a layer is called with


class Failures:
    """What each try came to, for the message when none works."""

    def __init__(self) -> None:
        self._raised: list[tuple[Shape, str, LayerRaisedError]] = []
        self._returned: list[str] = []
        self._one_batch: dict[Shape, int] = {}
        self._known: set[tuple[int, Shape, Domain, str]] = set()
        self._met: dict[tuple[object, ...], set[tuple[Shape, Domain]]] = {}
        self._vain: set[tuple[object, ...]] = set()

    def raised(
        self, calls: Calls, shape: Shape, domain: Domain, error: LayerRaisedError
    ) -> bool:
        """Note that the layer raised here; return whether another domain is no use.

        It is where it has raised the same in another precision, or the same by the same
        line at other shapes, whatever the domain.
        """
        once = (id(calls), shape, domain, str(error))
        met = self._met.setdefault(error.trail, set())
        met.add((shape, domain))
        shapes, domains = (set(each) for each in zip(*met, strict=True))
        known = once in self._known or (len(shapes) > 1 and len(domains) > 1)
        self._known.add(once)
        self._raised.append((shape, describe(domain), error))
        return known

    def note_vain(self, error: LayerRaisedError) -> None:
        """Note that a call in training raises the same, by the same line."""
        self._vain.add(error.trail)

    def trained_in_vain(self, error: LayerRaisedError) -> bool:
        """Return whether a call in training is known to raise the same."""
        return error.trail in self._vain

    def returned(self, what: str) -> None:
        """Note what came back that holds no output and ldj."""
        self._returned.append(what)

    def one_batch(self, shape: Shape, batch: int) -> None:
        """Note that it ran with one size of the batch, and raises with another."""
        self._one_batch[shape] = batch

    def all_about_sizes(self) -> bool:
        """Return whether nothing was returned, and no size fitted wherever it was tried."""
        known = bool(self._raised) and not self._returned and not self._one_batch
        return known and all(error.is_about_sizes for _, _, error in self._raised)

    def first_reason(self) -> str:
        """Return why the first try did not work."""
        if self._raised:
            return str(self._raised[0][2])
        return "the layer does not run in float64"

    def error(
        self, candidates: tuple[Calls, ...], *, explicit: bool
    ) -> CannotCheckError:
        """Return the error that tells the user what was tried, and what to type."""
        absent = next((e for _, _, e in self._raised if e.means_absent), None)
        if self._returned and absent is not None:
            return CannotCheckError(
                "LDJ004",
                "This layer declares no ldj, so there is nothing to check.",
                (f"Asked for it, it raises {absent}",),
            )
        if self._returned:
            return CannotCheckError(
                "LDJ004",
                "I can call this layer, but what it returns holds no output and ldj.",
                (
                    *(f"tried  {calls.signature}" for calls in candidates),
                    *_some([f"got    {it}" for it in dict.fromkeys(self._returned)]),
                    "A flow layer returns y and its ldj, one number per sample.",
                ),
            )
        if any(isinstance(error.error, NoBaseError) for _, _, error in self._raised):
            return no_base(candidates)
        for shape, domain, error in self._raised:
            if "allocate memory" in str(error):
                return CannotCheckError(
                    "LDJ007",
                    f"The layer ran out of memory: {error}",
                    (*error.lines, f"input: shape {shape}, domain {domain}"),
                )
        if self._one_batch:
            return CannotCheckError(
                "LDJ006",
                "The layer takes a batch of one size only, at all shapes that work.",
                (
                    *_some(
                        [
                            f"{shape}: runs with {batch} samples, raises with {batch + 1}"
                            for shape, batch in self._one_batch.items()
                        ]
                    ),
                    "If it takes its input apart, as in `x, ldj = inputs`, it wants no",
                    "tensor: name a function of x alone that calls it.",
                    *_what_next(candidates, explicit=explicit),
                ),
            )
        reasons = Counter(str(error) for _, _, error in self._raised)
        common, times = reasons.most_common(1)[0]
        slips = self._slips()
        common = str(slips[0][2]) if slips else common
        shape, domain, error = next(f for f in self._raised if str(f[2]) == common)
        if explicit or slips or times == len(self._raised):
            return CannotCheckError(
                "LDJ005",
                f"The layer raised {common}",
                (
                    *error.lines,
                    f"input: shape {shape}, domain {domain}",
                    *(
                        ()
                        if isinstance(error.error, _OF_THE_CODE)
                        else _what_next(candidates, explicit=explicit)
                    ),
                ),
            )
        tried = dict.fromkeys((shape, str(error)) for shape, _, error in self._raised)
        return CannotCheckError(
            "LDJ006",
            f"None of the {len(tried)} input shapes that I tried works.",
            (
                *_some([f"{shape}: {reason}" for shape, reason in tried]),
                *_what_next(candidates, explicit=explicit),
            ),
        )

    def _slips(self) -> list[tuple[Shape, str, LayerRaisedError]]:
        """Return where the code itself is to blame: all that sizes do not explain is one.

        A name that is known nowhere, or an attribute that the layer lacks; what a tensor
        that it was given lacks, or a context that it was not given, may be our mistake.
        """
        fitting = [each for each in self._raised if not each[2].is_about_sizes]
        errors = [error.error for _, _, error in fitting]
        if len({str(error) for _, _, error in fitting}) != 1:
            return []
        if not all(isinstance(error, _OF_THE_CODE) for error in errors):
            return []
        lacking = [getattr(error, "obj", errors) for error in errors]
        if any(each is None or isinstance(each, _GIVEN) for each in lacking):
            return []
        return fitting


def no_base(candidates: tuple[Calls, ...]) -> CannotCheckError:
    """Return what to say where the density of z is seen nowhere."""
    return CannotCheckError(
        "LDJ004",
        "The density runs, but I saw no base density to take off it.",
        (
            *(f"tried  {calls.signature}" for calls in candidates),
            "No log_prob(z) is called on the way, and a standard normal that is",
            "written out in full, its constant too, does not fit.",
            "Ask a distribution for it, as in Normal(0, 1).log_prob(z).",
        ),
    )


def _some(lines: list[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"... and {more} more"] if more > 0 else [])]


def _what_next(candidates: tuple[Calls, ...], *, explicit: bool) -> Iterator[str]:
    wanted = [name for calls in candidates for name in calls.context_names]
    if wanted:
        name = wanted[0]
        yield f"The layer also needs {', '.join(dict.fromkeys(wanted))}. If that is a"
        yield f"tensor, say its shape per sample: --context {name}=4"
        yield f"If it is a flag or a number, say what it is: --kwarg {name}=True"
    if explicit:
        yield "Is the shape that of one sample, without the batch? --shape 1,4,4"
    else:
        yield "Say the shape of one sample, without the batch: --shape 1,4,4"
