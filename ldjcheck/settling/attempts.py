"""What came of the tries to call a layer, and the message when none worked."""

import contextlib
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping

from torch import Tensor

from ldjcheck.calling.domains import describe
from ldjcheck.errors import LAYERS_OWN, CannotCheckError, NoBaseError
from ldjcheck.records import Calls, Domain, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.settling.guesses.stated_shapes import all_corrected
from ldjcheck.tracebacks import is_of_users, without_numbers

_SHOWN = 8  # lines of what was tried; the rest is more of the same
_FEW = 3  # shapes that one reason is shown with
_OFTEN = 2  # what was met at so many sizes, in float32 or at all, is met always
_OF_THE_CODE = (AttributeError, NameError, ImportError)  # no other input mends these
_GIVEN = (Tensor, tuple, dict)  # what a layer is called with
_OF_A_LABEL = "If it is a class label, say its range: --context '{}=():int:0:9'"


class Lessons:
    """What tries taught of failures: which happen again, whatever else is changed.

    A failure is the same where the same lines lead to the same words, numbers aside: these
    tell the sizes of what was given.
    """

    def __init__(self) -> None:
        self._sizes: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        self._domains: defaultdict[Hashable, set[Domain]] = defaultdict(set)
        self._vain: set[Hashable] = set()
        self._doubled: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        self._single: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        self._about_sizes: dict[tuple[Shape, str], None] = {}

    def note_sizes(self, shape: Shape, error: LayerRaisedError) -> None:
        """Note what was said of the sizes at an event shape."""
        self._about_sizes[shape, str(error)] = None

    def shapes_asked_for(self, limit: int) -> dict[Shape, Shape]:
        """Return at most `limit` shapes that failures ask for, each with the one that did."""
        return all_corrected(self._about_sizes, limit)

    def is_met_in_any_domain(
        self, given: Hashable, domain: Domain, error: LayerRaisedError
    ) -> bool:
        """Note an error; return whether it is met in other domains, and at other sizes."""
        sizes, domains = self._sizes[error.trail], self._domains[error.trail]
        sizes.add(given)
        domains.add(domain)
        return len(sizes) > 1 and len(domains) > 1

    def note_vain(self, error: LayerRaisedError) -> None:
        """Note that a call in training raises the same."""
        self._vain.add(error.trail)

    def trained_in_vain(self, error: LayerRaisedError) -> bool:
        """Return whether a call in training is known to raise the same."""
        return error.trail in self._vain

    def failed(
        self, calls: Calls, given: Hashable, trail: Hashable, *, promoted: bool
    ) -> None:
        """Note what a call came to that was given this, in float64 where it is promoted."""
        if promoted:
            self._doubled[id(calls), given].add(trail)
        else:
            self._single[trail].add(given)

    def precision_is_no_matter(self, calls: Calls, given: Hashable) -> bool:
        """Return whether what failed here in float64 fails in float32 as well.

        That is known of failures that float32 has met at other sizes.
        """
        trails = self._doubled[id(calls), given]
        return bool(trails) and all(
            len(self._single[each]) >= _OFTEN for each in trails
        )


class Failures:
    """What each try came to, for the message when none works.

    Args:
        lessons: what earlier tries taught, with other contexts perhaps.
    """

    def __init__(self, lessons: Lessons | None = None) -> None:
        self.lessons = lessons or Lessons()
        self._raised: list[tuple[Shape, str, LayerRaisedError]] = []
        self._returned: list[str] = []
        self._one_batch: dict[Shape, int] = {}
        self._spread: dict[Shape, str] = {}
        self._known: set[tuple[int, Shape, Domain, str]] = set()
        self._foreign: Counter[int] = Counter()
        self._by_call: dict[Hashable, LayerRaisedError] = {}
        self._given: dict[str, Shape | None] = {}  # beside x; None of what is no tensor

    def raised(self, bench: Bench, error: LayerRaisedError) -> bool:
        """Note that the layer raised here; return whether another domain is no use.

        It is where it has raised the same in another precision, or by the same lines at
        other sizes, whatever the domain.
        """
        calls, shape, domain = bench.calls, bench.shape, bench.domain
        self._given |= dict.fromkeys(dict(bench.options.kwarg))
        self._given |= {each.name: each.shape for each in bench.options.context}
        once = (id(calls), shape, domain, str(error))
        known = once in self._known
        given = shape, bench.options.context
        if isinstance(error.error, NoBaseError):  # elsewhere there may be one
            known |= error.error.is_foreign
            self._foreign[id(calls)] += error.error.is_foreign
        else:
            known |= self.lessons.is_met_in_any_domain(given, domain, error)
        self._known.add(once)
        self._raised.append((shape, describe(domain), error))
        if error.is_about_sizes and "to unpack" not in str(error):
            self.lessons.note_sizes(shape, error)
        self.lessons.failed(calls, given, error.trail, promoted=bench.promote)
        return known

    def raised_by_call(self, bench: Bench) -> LayerRaisedError | None:
        """Return what the same call has raised, its return to be read otherwise."""
        return self._by_call.get(_call(bench))

    def note_call(self, bench: Bench, error: LayerRaisedError) -> None:
        """Note what a call raised: it does however its return is read."""
        there = bench.calls.forward
        is_its_own = is_of_users(error.error)  # and not of what was made of its return
        if there is not None and there.asks is not None and is_its_own:
            self._by_call[_call(bench)] = error

    def returned(self, bench: Bench, error: UnexpectedReturnError) -> None:
        """Note what came back that holds no output and ldj."""
        what = str(error)
        self._returned.append(what)
        self._foreign[id(bench.calls)] += error.is_foreign
        given, words = (bench.shape, bench.options.context), without_numbers(what)
        self.lessons.failed(bench.calls, given, words, promoted=bench.promote)

    def is_no_way(self, calls: Calls) -> bool:
        """Return whether a call hands back no tensors, whatever it is given."""
        return self._foreign[id(calls)] > 0

    def precision_is_no_matter(self, bench: Bench) -> bool:
        """Return whether float32 is no use, where the layer failed in float64."""
        given = bench.shape, bench.options.context
        return self.lessons.precision_is_no_matter(bench.calls, given)

    def one_batch(self, bench: Bench) -> None:
        """Note that it ran with one size of the batch, and raises with another."""
        self._one_batch[bench.shape] = bench.batch

    def spread(self, bench: Bench, where: str) -> None:
        """Note that it ran, since one part was spread over another, and dims were added."""
        self._spread[bench.shape] = where

    def all_about_sizes(self) -> bool:
        """Return whether nothing was returned, and no size fitted wherever it was tried."""
        known = bool(self._raised) and not self._returned and not self._one_batch
        return known and all(error.is_about_sizes for _, _, error in self._raised)

    def first_reason(self) -> str:
        """Return why the first try did not work."""
        if self._raised:
            return str(self._raised[0][2])
        return "the layer does not run in float64"

    def tried(self) -> tuple[str, ...]:
        """Return what did not work so far, a line for each shape."""
        shapes = {shape: str(error) for shape, _, error in self._raised}
        lines = [f"{shape}: {reason}" for shape, reason in shapes.items()]
        lines += [f"got {what}" for what in dict.fromkeys(self._returned)]
        return tuple(_some(lines, _FEW))

    def error(
        self, candidates: tuple[Calls, ...], *, explicit: bool
    ) -> CannotCheckError:
        """Return the error that tells the user what was tried, and what to type."""
        return (
            self._declares_none()
            or self._takes_one_batch(candidates, explicit)
            or self._returned_no_pair(candidates)
            or self._saw_no_base(candidates)
            or self._out_of_memory()
            or self._raises_the_same(candidates, explicit)
            or self._fits_no_shape(candidates, explicit)
        )

    def _declares_none(self) -> CannotCheckError | None:
        absent = next((e for _, _, e in self._raised if e.means_absent), None)
        if not self._returned or absent is None:
            return None
        return CannotCheckError(
            "LDJ004",
            "This layer declares no ldj, so there is nothing to check.",
            (f"Asked for it, it raises {absent}",),
        )

    def _returned_no_pair(
        self, candidates: tuple[Calls, ...]
    ) -> CannotCheckError | None:
        if not self._returned:
            return None
        return CannotCheckError(
            "LDJ004",
            "I can call this layer, but what it returns holds no output and ldj.",
            (
                *dict.fromkeys(f"tried  {calls.signature}" for calls in candidates),
                *_some([f"got    {each}" for each in self._alike()]),
                "A flow layer returns y and its ldj, one number per sample.",
            ),
        )

    def _saw_no_base(self, candidates: tuple[Calls, ...]) -> CannotCheckError | None:
        errors = [error.error for _, _, error in self._raised]
        baseless = [each for each in errors if isinstance(each, NoBaseError)]
        return no_base(candidates, baseless[0]) if baseless else None

    def _out_of_memory(self) -> CannotCheckError | None:
        for shape, domain, error in self._raised:
            if "allocate memory" in str(error):
                return CannotCheckError(
                    "LDJ007",
                    f"The layer ran out of memory: {error}",
                    (*error.lines, f"input: shape {shape}, domain {domain}"),
                )
        return None

    def _takes_one_batch(
        self, candidates: tuple[Calls, ...], explicit: bool
    ) -> CannotCheckError | None:
        if not self._one_batch:
            return None
        lines = [
            f"{shape}: runs with {batch} samples, raises with {batch + 1}"
            for shape, batch in self._one_batch.items()
        ]
        return CannotCheckError(
            "LDJ006",
            "The layer takes a batch of one size only, at all shapes that work.",
            (
                *_some(lines),
                "If it takes its input apart, as in `x, ldj = inputs`, it wants no",
                "tensor: name a function of x alone that calls it.",
                *_what_next(candidates, self._given, explicit=explicit),
            ),
        )

    def _raises_the_same(
        self, candidates: tuple[Calls, ...], explicit: bool
    ) -> CannotCheckError | None:
        """Return what it raised, where that is no matter of the inputs that were tried."""
        if not self._raised:
            return None
        reasons = Counter(str(error) for _, _, error in self._raised)
        common, times = reasons.most_common(1)[0]
        slips = self._slips() or [
            each
            for each in self._raised
            if str(each[2]) == common and each[2].has_advice
        ]
        if not (explicit or slips or times == len(self._raised)):
            return None
        common = str(slips[0][2]) if slips else common
        shape, domain, error = next(f for f in self._raised if str(f[2]) == common)
        tried = {shape for shape, _, error in self._raised if str(error) == common}
        is_plain = isinstance(error.error, _OF_THE_CODE) or error.has_advice
        next_lines = _what_next(
            candidates, self._given, explicit=explicit, alike_at=len(tried)
        )
        return CannotCheckError(
            "LDJ005",
            f"The layer raised {common}",
            (
                *(() if error.lines == (common,) else error.lines),
                f"input: shape {shape}, domain {domain}",
                *(() if is_plain else next_lines),
            ),
        )

    def _fits_no_shape(
        self, candidates: tuple[Calls, ...], explicit: bool
    ) -> CannotCheckError:
        spread = [
            f"{shape}: runs, since one part is spread over another{where}"
            for shape, where in self._spread.items()
        ]
        tried = {*self._spread, *(shape for shape, _, _ in self._raised)}
        return CannotCheckError(
            "LDJ006",
            f"None of the {len(tried)} input shapes that I tried works.",
            (
                *_some([*spread, *self._by_reason()]),
                *self._where_furthest(),
                *_what_next(candidates, self._given, explicit=explicit),
            ),
        )

    def _where_furthest(self) -> Iterator[str]:
        """Yield where to look, if the shape that its own facts say fails like few others."""
        trails = Counter(error.trail for _, _, error in self._raised)
        if not self._raised:
            return
        shape, _, error = self._raised[0]
        if error.line is not None and 2 * trails[error.trail] < len(self._raised):
            yield f"If a sample is {shape}, it is line {error.line} that is to be mended."

    def _alike(self) -> Iterator[str]:
        """Yield what came back, each once: other sizes make it no other thing."""
        alike = Counter(without_numbers(each) for each in dict.fromkeys(self._returned))
        first = {without_numbers(each): each for each in reversed(self._returned)}
        for what, times in alike.items():
            more = f" ({times - 1} more alike)" if times > 1 else ""
            yield f"{first[what]}{more}"

    def _by_reason(self) -> Iterator[str]:
        """Yield what was raised, each once by the lines that led to it, and at which shapes.

        The same words with other sizes in them are the same reason.
        """
        at: dict[Hashable, dict[Shape, LayerRaisedError]] = {}
        for shape, _, error in self._raised:
            at.setdefault(error.trail, {}).setdefault(shape, error)
        for found in at.values():
            shapes, error = [*found], next(iter(found.values()))
            first = ", ".join(map(str, shapes[:_FEW]))
            more = f" and {len(shapes) - _FEW} more" if len(shapes) > _FEW else ""
            where = "" if error.line is None else f", in line {error.line}"
            yield f"{first}{more}: {error}{where}"

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


def _call(bench: Bench) -> Hashable:
    """Return what stands for a call and what it is given."""
    calls = bench.calls
    asks = None if calls.forward is None else calls.forward.asks
    return asks, calls.parts, bench.shape, bench.domain, bench.promote


def no_base(candidates: tuple[Calls, ...], error: NoBaseError) -> CannotCheckError:
    """Return what to say where the density of z is seen nowhere: its mass may be known."""
    told: tuple[str, ...] = ()
    with contextlib.suppress(*LAYERS_OWN):  # the model's, at other x
        mass = error.log_mass() if error.log_mass is not None else None
        if mass is not None and abs(mass[0]) > mass[1]:
            much = f"{math.exp(mass[0]):.4g}, not to 1: it is wrong"
            told = (f"Over all x it integrates to {much}, whatever its base.",)
        elif mass is not None:
            told = (f"Over all x it integrates to 1, or all but {mass[1]:.1g} of it.",)
    return CannotCheckError(
        "LDJ004",
        "The density runs, but I saw no base density to take off it.",
        (
            *dict.fromkeys(f"tried  {calls.signature}" for calls in candidates),
            "No log_prob(z) is called on the way, and a standard normal that is",
            "written out in full, its constant too, does not fit.",
            "Ask a distribution for it, as in Normal(0, 1).log_prob(z).",
            *told,
        ),
    )


def _some(lines: list[str], shown: int = _SHOWN) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - shown
    return [*lines[:shown], *([f"... and {more} more"] if more > 0 else [])]


def _what_next(
    candidates: tuple[Calls, ...],
    given: Mapping[str, Shape | None],
    *,
    explicit: bool,
    alike_at: int = 0,
) -> Iterator[str]:
    """Yield what to type; a shape is asked for unless all of many raise the very same."""
    wanted = [n for calls in candidates for n in calls.context_names if n not in given]
    for name, shape in given.items():
        if shape is not None:
            yield f"{name} is given as {shape}, without the batch: is that its size?"
            yield _OF_A_LABEL.format(name)
    if wanted:
        name = wanted[0]
        yield f"The layer also needs {', '.join(dict.fromkeys(wanted))}."
        yield f"If it is a tensor, say its shape per sample: --context {name}=4"
        yield _OF_A_LABEL.format(name)
        yield f"If it is a flag or a number, say what it is: --kwarg {name}=True"
    if explicit:
        yield "Is the shape that of one sample, without the batch? --shape 1,4,4"
    elif alike_at > 1:
        yield f"It is no matter of shapes: all {alike_at} that I tried raise the same."
    else:
        yield "Say the shape of one sample, without the batch: --shape 1,4,4"
