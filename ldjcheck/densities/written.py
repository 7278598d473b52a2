"""Base densities that a model writes out by hand: found on the tape of its log_prob.

A log_prob is a sum of terms. Those that depend on x through one value z alone, and whose
exponential has mass 1 over all z, are the log-density of z, whatever it is called and
however it is written: normal, logistic, Laplace, with a mean and a scale that are learned,
or a mixture. What is left is the ldj of x to z. The last such value is taken: of a prior
(u - mean) / scale it is that quotient, and the scale is a part of the map.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from ldjcheck.densities.answers import Masses
from ldjcheck.densities.mass import (
    adds_up,
    far_out,
    is_without_end,
    log_mass,
    near,
)
from ldjcheck.densities.terms import DensityTerms, where_free
from ldjcheck.records.called import BaseMass
from ldjcheck.tape import Node, ancestors, in_order, location_of
from ldjcheck.tape.recorder import Recorder

Reading = Callable[[DensityTerms, Node], "Base | None"]

_TERMS = 8  # whose subsets are tried
_NORMAL = math.log(2 * math.pi) / 2
_BESIDE = 2  # constants of a density that is written wrong: of the law, and of a scale
_COUNTED = (1, -1, 0, 2)  # times an ldj may be counted, rightly or not
_LENGTHS = 1.0, 2.0, math.pi, 2 * math.pi  # of what a uniform density may lie on
_EVEN = 1e-9  # relative: a number that is the same for all samples


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A part of z, and the terms that are its log-density: their sum, less `excess`.

    All that is said, the ldj too, may be that so many `times`.
    """

    z: Node
    terms: tuple[Node, ...]
    excess: Tensor | None = None  # log of the mass, where it is not 1, (batch,)
    times: float = 1.0
    lacks: bool = False  # a constant that belongs to it, and is written nowhere
    reading: Reading | None = None  # how it was found
    unread: int = 0  # entries of each sample that enter none of its terms

    @property
    def dims(self) -> int:
        """Entries of each sample."""
        return self.z.value[0].numel()


def written_out(
    heard: Recorder,
    x: Tensor,
    density: Tensor,
    known: Sequence[Tensor],
    lacking: int,
    factor: float,
    memory: Memory,
    *,
    is_loss: bool,
    results: Sequence[Tensor] = (),
    pairs: Sequence[tuple[Tensor, Tensor]] = (),
    parts: Sequence[Tensor] = (),
) -> tuple[list[Tensor], Tensor, tuple[BaseMass, ...], bool] | None:
    """Return the parts of z and their log-density, `(batch,)`, that a density is made of.

    And those of the parts that the model returns whose density does not integrate to 1, and
    whether one of the others was made to.

    They have the `lacking` entries of each sample, or fewer where no more are found; None
    where none are. `known` are log-densities that are accounted for, and `factor` is what
    the density is to be multiplied by to be in nats. `memory` is of the calls before.
    What the model returns beside the density are its `results`; `pairs` are what flows
    returned on the way, z and its ldj, and `parts` of z are what others were asked about.
    A loss may leave the constant of a standard normal out: no gradient knows of it.
    """
    node, source = heard.find(density), heard.find(x)
    if node is None or source is None or density.numel() not in (1, len(x)):
        return None
    atoms = {found for each in known if (found := heard.find(each)) is not None}
    live = heard.living()
    with torch.no_grad(), torch._C.DisableTorchFunction():
        sum_ = DensityTerms(node, source, atoms, factor, len(x))
        if is_loss:
            sum_ = sum_.without(sum_.penalties, ())
        sum_.parts = tuple(z for each in parts if (z := heard.find(each)) is not None)
        made = [found for each in results if (found := heard.find(each)) is not None]
        whole = () if is_loss else (node,)  # of which a loss may leave constants out
        sum_.of_map = ancestors(*made, *whole) if made else set()
        sum_.results = [each for each in made if each not in (source, node)]
        handed = ((heard.find(z), heard.find(ldj)) for z, ldj in pairs)
        sum_.handed = {z: ldj for z, ldj in handed if z is not None and ldj is not None}
        bases = memory.recalled(sum_)
        if bases is None:
            bases = _chosen(sum_, lacking)
            of_results = bool(bases) and all(b.z in sum_.results for b in bases)
            if memory.of_any_mass and not of_results:
                bases = _returned(sum_, lacking, _of_any_mass) or bases
            memory.remember(sum_, bases)
    ends = {term for base in bases for term in base.terms}
    wanted = [n for n in ends if n.name != "number"] + [base.z for base in bases]
    if not bases or not all(node in live for node in wanted):
        return None
    total, held = torch.zeros(len(x), dtype=torch.float64), list[BaseMass]()
    made_up = False
    for base, later in itertools.combinations(
        sorted(bases, key=lambda b: b.z.index), 2
    ):
        if sum_.narrowest(base.z, later.z) < base.dims + later.dims:
            held.append(_without_mass(base, torch.full_like(total, math.inf)))
    for base in bases:
        terms = sum_.of(set(base.terms), lambda end: live.get(end, end.value))
        total = total + (terms if base.times == 1.0 else terms / base.times)
        if base.unread:
            infinite = _without_mass(base, torch.full_like(total, math.inf))
            held.append(replace(infinite, unread=base.unread))
        by_itself = base.reading in (_handed_back, _padded, _of_any_mass)
        if base.excess is not None and base.reading is _dropped:  # a scale may be wrong
            by_itself = _even(base.excess, base.excess) is None
        if base.excess is not None and by_itself:
            held.append(_without_mass(base, base.excess))
            continue
        may_lack = base.times == 1.0 or base.lacks
        if base.excess is None or (is_loss and may_lack and _is_usual(base)):
            continue
        total, made_up = total - base.excess, True
    return [live[base.z] for base in bases], total, tuple(held), made_up


def _without_mass(base: Base, excess: Tensor) -> BaseMass:
    """Return what is told of a part of z whose density does not integrate to 1."""
    last = max(base.terms, key=lambda term: term.index)
    place = last.places[0] if last.places else None
    name = f"{place.function}" if place else "the density"
    return BaseMass(name, location_of(place), base.dims, excess)


def densities_in(total: Node, source: Node, batch: int) -> Iterator[Tensor]:
    """Yield the log-densities, `(batch,)`, that a value adds up, as they stand in it.

    Each is of a value that is made of `source`, and of mass 1 whatever else enters it; or
    of another finite mass, as one is that was written wrong, with a constant or two.
    """
    with torch.no_grad(), torch._C.DisableTorchFunction():
        sum_ = DensityTerms(total, source, (), 1.0, batch)
        for z in sum_.candidates:
            base = _tried(_normalised, sum_, z)
            if base is not None:
                yield sum_.of(set(base.terms), lambda end: end.value)
            base = _tried(_up_to_constant, sum_, z)
            if base is None:
                continue
            for count in range(_BESIDE + 1):
                for fixed in itertools.combinations(_latest(sum_.fixed, z), count):
                    yield sum_.of({*base.terms, *fixed}, lambda end: end.value)


@dataclass(frozen=True, slots=True)
class _Form:
    """The parts of z in one form of a model, by their places among its operations."""

    shape: torch.Size  # of x: the mass of a constant is another one of more dims
    rank: int  # of the last reading that it took
    bases: tuple[tuple[int, tuple[int, ...], Base], ...]
    beside: tuple[Tensor, ...]  # what enters their densities beside z

    def is_better(self, bases: Sequence[Base], shape: torch.Size) -> bool:
        """Return whether others were found less plainly, or are a smaller share of x."""
        own = _share((base for *_, base in self.bases), self.shape)
        return _share(bases, shape) < own or _rank(bases) > self.rank


def _share(bases: Iterable[Base], shape: torch.Size) -> float:
    """Return how much of x is known; what is spread over more entries is no more."""
    return min(1.0, sum(base.dims for base in bases) / max(1, math.prod(shape[1:])))


_TRIES = 4  # before nothing is looked for any more: rounding may hide it once
_FORMS = 6  # in which one is remembered: a check has as many configurations, or fewer


class Memory:
    """What was found in the calls before: it holds where the same is computed again.

    A model may be of several forms, as in training and in evaluation. In one of them a
    mass is that of a function of z; it is another one only where what enters beside z is,
    such as a parameter.
    """

    def __init__(self, *, leaving: bool = False, of_any_mass: bool = False) -> None:
        self.leaving = leaving  # what leaves without a density is asked for
        self.placed = leaving  # in which line it is said, where something is to be told
        self.of_any_mass = of_any_mass  # what is returned may have one that is none
        self.is_unbounded = False  # some of it was seen outside of 0 to 1
        # Of each form the last ones, with other values beside z: a check comes back to them.
        self._forms: dict[tuple[str, ...], list[_Form]] = {}
        self._in_vain: Counter[tuple[str, ...]] = Counter()
        self.masses = Masses()  # of bases that are asked

    def recalled(self, sum_: DensityTerms) -> list[Base] | None:
        """Return the parts of z that were found, where they still are what they were.

        What is computed as before up to them, as in code that is edited after them, is
        asked for the same parts.
        """
        operations, nodes = _operations(sum_), sum_.order
        forms = self._forms.get(operations, [])
        if self._in_vain[operations] >= _TRIES and not forms:
            return []
        if not forms:
            like = self._begun_alike(operations)
            if like is None:
                return None
            again = [replace(base, z=nodes[z]) for z, _, base in like.bases]
            found = self._found_again(sum_, again)
            return [] if found is None and not _is_lenient(like) else found
        placed: list[list[Base]] = []
        for form in forms:
            bases = [
                replace(base, z=nodes[z], terms=tuple(nodes[i] for i in terms))
                for z, terms, base in form.bases
            ]
            beside = _values_beside(sum_, bases)
            same = sum_.source.value.shape == form.shape
            same &= len(beside) == len(form.beside)
            if same and all(map(torch.equal, beside, form.beside)):
                return bases
            placed.append(bases)
        return self._found_again(sum_, placed[0])

    def _begun_alike(self, operations: tuple[str, ...]) -> _Form | None:
        """Return a form that is computed alike up to the last of its parts.

        What ends alike as well has more in between, as of a loop with more steps.
        """
        for known, (form, *_) in self._forms.items():
            upto = 1 + max(z for z, _, _ in form.bases)
            ends_alike = known[upto:] == operations[upto - len(known) :]
            if known[:upto] == operations[:upto] and not ends_alike:
                return form
        return None

    def _found_again(
        self, sum_: DensityTerms, bases: Sequence[Base]
    ) -> list[Base] | None:
        """Return what the same readings find of the same parts at these values."""
        found: list[Base] = []
        for base in bases:
            assert base.reading is not None
            again = _tried(base.reading, _rest(sum_, found), base.z)
            if again is None:
                return None
            found.append(replace(again, reading=base.reading))
        self.remember(sum_, found)
        return found

    def remember(self, sum_: DensityTerms, bases: Sequence[Base]) -> None:
        """Keep what was found, unless something plainer was found in the same form.

        Rounding may hide that once, far out, and a later reading then stands in for it, or
        one part of z is not found there.
        """
        known = self._forms.get(_operations(sum_), [])
        shape = sum_.source.value.shape
        # Out of its domain, where it is no number, nothing can be found.
        if not bases and bool(sum_.node.value.isfinite().all()):
            self._in_vain[_operations(sum_)] += 1
        if not bases or (known and known[0].is_better(bases, shape)):
            return
        places = {node: i for i, node in enumerate(sum_.order)}
        form = _Form(
            shape=shape,
            rank=_rank(bases),
            bases=tuple(
                (places[base.z], tuple(places[t] for t in base.terms), base)
                for base in bases
            ),
            beside=tuple(value.clone() for value in _values_beside(sum_, bases)),
        )
        self._forms[_operations(sum_)] = [form, *known[: _FORMS - 1]]


def _is_lenient(form: _Form) -> bool:
    """Return whether a mistake may have been read into it: a factor, or a mass other than 1."""
    return any(base.times != 1.0 or base.excess is not None for *_, base in form.bases)


def _rank(bases: Sequence[Base]) -> int:
    readings = *_readings(), _of_any_mass, _left_out
    return max(readings.index(base.reading) for base in bases if base.reading)


def _readings() -> tuple[Reading, ...]:
    """Return the ways of reading a density, the plainest first."""
    first = _handed_back, _normalised, _padded, _scaled, _up_to_constant
    return *first, _partly, _handed_on, *_BY_OTHERS


def _operations(sum_: DensityTerms) -> tuple[str, ...]:
    return tuple(node.name for node in sum_.order)


def _values_beside(sum_: DensityTerms, bases: Sequence[Base]) -> list[Tensor]:
    """Return all that the densities of these parts are made of beside z itself.

    And what masks entries of it for samples: what it holds there has no density of its own.
    """
    found: list[Tensor] = []
    for node in in_order(ancestors(*(base.z for base in bases))):
        is_given = not node.parents and node is not sum_.source and node.value.dim() > 1
        if is_given and len(node.value) == sum_.batch and not node.value.all():
            found.append(node.value)
    for base in bases:
        within = {*sum_.between(base.terms, base.z), *sum_.adding(base.terms)}
        parents = {p for node in within for p in node.parents}
        others = {end for end in sum_.ends if end not in base.terms} | {*sum_.inside}
        fixed = {term for term in base.terms if term not in sum_.depending}
        outside = (parents - within - others - {base.z}) | fixed
        found += [node.value for node in in_order(outside)]
    return found


def _chosen(sum_: DensityTerms, lacking: int) -> list[Base]:
    """Return the parts of z that have all lacking entries, or the most that are found.

    Each way of reading the density is tried only where those before do not suffice: terms
    that have mass 1 as they stand, or once all is divided; a normal density whose constant
    is another, or left out; some of the terms through z alone, the others being the ldj of a
    last step that is written in terms of what it returns; all that is left beside an ldj
    that came with z.
    Of what the model returns whole it is known that it is z. Where a flow returned all of
    z, what comes before that is looked at last.
    """
    whole = _returned(sum_, lacking, _normalised)
    if whole:  # what is made of it alone may be one as well: it is moved
        return whole
    returned = [z for z in sum_.candidates if z in sum_.handed]
    for z in returned[:1]:
        if z.value[0].numel() == lacking:
            late = [each for each in sum_.candidates if each.index >= z.index]
            found = _accepted(sum_, lacking, _readings()[: -len(_BY_OTHERS)], late)
            if len(found) == 1 and found[0].dims == lacking:
                return found
            base = _tried(_left_out, sum_, z)
            if base is not None:
                return [replace(base, reading=_left_out)]
    return _accepted(sum_, lacking, _readings())


def _returned(sum_: DensityTerms, lacking: int, reading: Reading) -> list[Base]:
    """Return z where the model returns it whole, and a reading finds its density."""
    for z in sum_.results:
        is_whole = z in sum_.candidates and z.value[0].numel() == lacking
        base = _tried(reading, sum_, z) if is_whole else None
        if base is not None:
            return [replace(base, reading=reading)]
    return []


def _accepted(
    sum_: DensityTerms,
    lacking: int,
    readings: Sequence[Reading],
    candidates: Sequence[Node] | None = None,
) -> list[Base]:
    """Return the parts of z that these readings find, among some of the candidates."""
    accepted: list[Base] = []
    for reading in readings:
        all_of_them = sum_.results if reading is _handed_back else sum_.candidates
        if reading in (_told_by_others, _dropped):  # z less its mean is one too
            known = [base.z for base in accepted]
            all_of_them = sum_.further(known)
            if reading is _told_by_others:
                all_of_them = [*dict.fromkeys((*sum_.results, *all_of_them))]
            elif not known:
                all_of_them = []  # nothing is known to have gone on
        elif reading is _given_others:
            all_of_them = sum_.first
        for z in all_of_them if candidates is None else candidates:
            dims = z.value[0].numel()
            known_already = any(_is_same_part(sum_, z, base) for base in accepted)
            if dims > lacking or known_already != (reading is _kept_as_well):
                continue
            base = _tried(reading, _rest(sum_, accepted), z)
            if base is not None:
                base = replace(base, reading=reading)
                accepted.append(base)
                if dims == lacking:
                    return [base]
        for count in range(len(accepted), 1, -1):
            for some in itertools.combinations(accepted[:_TERMS], count):
                if sum(base.dims for base in some) == lacking:
                    shares = reading in (_handed_back, _dropped)
                    return _settled(sum_, some) if shares else [*some]
    return accepted if sum(base.dims for base in accepted) < lacking else []


def _rest(sum_: DensityTerms, accepted: Sequence[Base]) -> DensityTerms:
    taken = {term for base in accepted for term in base.terms}
    return sum_.without(taken, [base.z for base in accepted])


def _is_same_part(sum_: DensityTerms, z: Node, base: Base) -> bool:
    """Return whether a part that is accepted already flows through z, or z through it."""
    ways = [way for end, way in sum_.through.items() if end in base.terms]
    return any(z in way for way in ways)


def _tried(reading: Reading, sum_: DensityTerms, z: Node) -> Base | None:
    try:
        return reading(sum_, z)
    except Exception:  # the model's own operations, at other values, may raise anything
        return None


def _handed_back(sum_: DensityTerms, z: Node) -> Base | None:
    """Return a part of z that the model returns, with all terms that depend on it.

    Whatever else they are made of, such as what a split keeps, what they lack of a mass of
    1 belongs to them; the log-scale of a prior may be a term of its own.
    """
    if len(sum_.results) < 2:
        return None
    terms = sum_.terms_with(z)
    others = {each for each in sum_.results if each is not z}
    if not terms or any(others & ancestors(term) for term in terms):
        return None
    if _is_conditional(sum_, z, terms):  # its mass is another at each sample
        return _told_by_others(sum_, z) or _added_up(sum_, z, terms)
    mass = sum_.log_mass(z, terms)
    if mass is None:
        return None
    beside = [end for end in sum_.free if end not in terms] + sum_.fixed
    nearest = sorted(beside, key=lambda term: abs(term.index - z.index))
    chosen = _constants(sum_, z, *mass, nearest)
    if chosen is None:
        return _added_up(sum_, z, terms) or Base(z, terms, mass[0])
    return Base(z, (*terms, *chosen))


def _added_up(
    sum_: DensityTerms, z: Node, terms: tuple[Node, ...], *, of_any_law: bool = False
) -> Base | None:
    """Return z with all that is added up with its terms to one number for each sample.

    None where the terms meet in no such sum, or are no normal density of z by themselves,
    unless it may be one `of_any_law`.
    """
    mass = sum_.log_mass(z, terms)
    above = set.intersection(*(sum_.adding([term]) for term in terms))
    sums = [node for node in in_order(above) if node.value.numel() == sum_.batch]
    if mass is None or not sums or not (of_any_law or _is_exact(*mass)):
        return None
    added = tuple(end for end in sum_.ends if sums[0] in sum_.adding([end]))
    beside = set(added) - {*terms}
    excess = mass[0] + sum_.of(beside, lambda end: end.value)
    is_one = bool((excess.abs() <= max(mass[1], 1e-6)).all())
    return Base(z, added, None if is_one else excess)


def _is_conditional(sum_: DensityTerms, z: Node, terms: Sequence[Node]) -> bool:
    """Return whether x enters terms by another way than through z."""
    return sum_.source in ancestors(*terms, beyond=[z])


def _settled(sum_: DensityTerms, parts: Sequence[Base]) -> list[Base]:
    """Return parts that the model returns, with a constant that several of them share."""
    open_ = [base for base in parts if base.excess is not None]
    logs = [base.excess for base in open_ if base.excess is not None]
    if not logs:
        return list(parts)
    rest, last = _rest(sum_, parts), open_[-1]
    beside = [*rest.free, *(end for end in sum_.fixed if end in rest.fixed)]
    chosen = _constants(sum_, last.z, torch.stack(logs).sum(0), 1e-6, beside[::-1])
    if chosen is None:
        return list(parts)
    whole = [replace(base, excess=None) for base in parts if base is not last]
    return [*whole, replace(last, terms=(*last.terms, *chosen), excess=None)]


def _normalised(sum_: DensityTerms, z: Node) -> Base | None:
    return _of_terms(sum_, z, sum_.terms_through(z))


def _of_terms(sum_: DensityTerms, z: Node, terms: tuple[Node, ...]) -> Base | None:
    """Return z with terms that have mass 1, constants that belong to them included."""
    mass = sum_.log_mass(z, terms)
    if mass is None:
        return None
    log, error = mass
    beside = _constants(sum_, z, log, error, sum_.fixed)
    return None if beside is None else Base(z, (*terms, *beside))


def _padded(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z with terms of mass 1 over what is padded as well, which no sample moves."""
    terms = sum_.terms_through(z)
    if not bool(sum_.held(z).any()):
        return None
    whole, kept = (sum_.log_mass(z, terms, padded=each) for each in (True, False))
    if whole is None or kept is None:
        return None
    beside = _constants(sum_, z, *whole, sum_.fixed)
    if beside is None:
        return None
    return Base(z, (*terms, *beside), kept[0] + sum_.of(beside, lambda end: end.value))


def _up_to_constant(sum_: DensityTerms, z: Node) -> Base | None:
    terms = sum_.terms_through(z)
    mass = sum_.log_mass(z, terms)
    if mass is None or not _is_exact(*mass) or _serves_others(sum_, z, terms):
        return None  # of any other function through z, it is not known to be the base
    found = Base(z, terms, mass[0])
    usual = torch.full_like(mass[0], found.dims * _NORMAL)
    return Base(z, terms, usual) if _is_usual(found) else found


def _serves_others(sum_: DensityTerms, z: Node, terms: tuple[Node, ...]) -> bool:
    """Return whether what terms are made of, after z, makes other terms or z as well.

    A log-scale does, that is linear in z: it belongs to the density of another part.
    """
    others = [end for end in sum_.through if end not in terms]
    elsewhere = ancestors(*others) | sum_.of_map
    ways = (sum_.through[term] for term in terms)
    return any(node in elsewhere for way in ways for node in way[: way.index(z)])


def _is_usual(base: Base) -> bool:
    """Return whether all that is wrong is the constant of the normal density, left out."""
    assert base.excess is not None
    return bool(((base.excess - base.dims * _NORMAL).abs() <= 1e-9).all())


def _partly(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z with some of the terms through it, if the others may be an ldj.

    They may where they add up over the dims, as of a last step that is written in terms of
    what it returns; or where the map that makes other parts of z is made of them.
    """
    terms = sum_.terms_through(z)
    if not 1 < len(terms) <= _TERMS:
        return None
    generator = torch.Generator().manual_seed(0)
    at = near(z.value.reshape(sum_.batch, -1))
    moved = ~sum_.held(z).any(0).repeat(2)  # what stays has no end to reach
    far = {t: far_out(sum_.of_z([t], z), at)[moved] for t in terms}
    may_be_ldj = [
        term
        for term in terms
        if _makes_map(sum_, z, term) or adds_up(sum_.of_z([term], z), at, generator)
    ]
    for count in range(1, 1 + min(len(may_be_ldj), len(terms) - 1)):
        for others in reversed([*itertools.combinations(may_be_ldj, count)]):
            some = tuple(term for term in terms if term not in others)
            if is_without_end(torch.stack([far[term] for term in some]).sum(0)):
                continue  # at once: most are
            base = _of_terms(sum_, z, some)
            if base is not None:
                return base
    return None


def _told_by_others(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z with terms of mass 1 whatever else they are made of: a density given that.

    Its log-scale may be a term of its own then, which depends on x and not on z.
    """
    terms = sum_.terms_with(z)
    if not terms or terms == sum_.terms_through(z):
        return None
    mass = sum_.log_mass(z, terms)
    if mass is None:
        return None
    beside = [end for end in sum_.through if end not in terms and end in sum_.free]
    chosen = _constants(sum_, z, *mass, [*beside, *sum_.fixed])
    return None if chosen is None else Base(z, (*terms, *chosen))


def _dropped(sum_: DensityTerms, z: Node) -> Base | None:
    """Return a part that left under a normal density of its own, of whatever mass.

    Its log-scale and constant are what is added up with it, rightly or not.
    """
    terms = sum_.terms_with(z)
    if not terms or terms == sum_.terms_through(z):
        return None
    return _added_up(sum_, z, terms)


def _given_others(sum_: DensityTerms, z: Node) -> Base | None:
    """Return a part of x with its density given the parts of z that are known.

    So a decoder tells of x, given what its encoder and the noise have made of x. What
    tells of zeros and ones adds up to 1 over these.
    """
    parts = [node for part in sum_.parts for node in sum_.made_alone_of(part)]
    terms = tuple(
        end
        for end in sum_.free
        if z in ancestors(end, beyond=parts)
        and not ancestors(end, beyond=[z]).isdisjoint(parts)
        and sum_.source not in ancestors(end, beyond=[z, *parts])
    )
    if not terms:
        return None
    given = sum_.at_given(parts)
    mass = given.log_mass(z, terms) or given.log_mass_of_bits(z, terms)
    if mass is None:
        return None
    of_parts = [e for e in sum_.free if z not in ancestors(e, beyond=parts)]
    chosen = _constants(sum_, z, *mass, [*of_parts, *sum_.fixed])
    return None if chosen is None else Base(z, (*terms, *chosen))


def _kept_as_well(sum_: DensityTerms, z: Node) -> Base | None:
    """Return what a flow goes on with, under a density of its own beside that of the end.

    That is made of the terms that come first; those behind are ldjs of what follows.
    """
    terms = [end for end in sum_.free if z in sum_.through[end]]
    terms.sort(key=lambda end: end.index)
    for count in range(1, 1 + min(len(terms), _BESIDE)):
        base = _of_terms(sum_, z, tuple(terms[:count]))
        if base is not None:
            return base
    return None


_BY_OTHERS: tuple[Reading, ...] = (
    _given_others,
    _told_by_others,
    _dropped,
    _kept_as_well,
)


def _handed_on(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z that a flow returned beside its ldj, with all else that is said of it.

    Where a density is that and the ldj, counted in whichever way, nothing but log p(z) is
    left: a mass that is not 1 is a mistake then, and not a sign of another reading.
    """
    parts = _beside_its_ldj(sum_, z)
    if parts is None:
        return None
    terms, rest, numbers = parts
    for number, times in itertools.product(numbers, _COUNTED):
        even = _even(rest - times * number, rest)
        if even is None:
            continue
        mass = sum_.log_mass(z, terms)
        if mass is None:
            return None
        log, error = mass
        is_whole = bool(((log + even).abs() <= max(error, 1e-6)).all())
        mean = log.mean().expand_as(log)  # integrals from other points end elsewhere
        log = mean if bool(((log - mean).abs() <= error).all()) else log
        return Base(z, terms, -even if is_whole else log)
    return None


def _left_out(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z that a flow returned beside its ldj, where some of z enters no density.

    Unless what is left may be uniform there: a constant says so for each of these entries.
    """
    parts = _beside_its_ldj(sum_, z)
    if parts is None:
        return None
    terms, rest, numbers = parts
    f, at = sum_.of_z(terms, z), near(z.value.reshape(sum_.batch, -1).double())
    steps = torch.eye(at.shape[1], dtype=at.dtype)[:, None]
    moved = torch.stack(
        [f(at + steps) != f(at[None]), f(at - 2 * steps) != f(at[None])]
    )
    unread = ~moved.any(2).any(0)
    count = int(unread.sum())
    evens = (_even(rest - t * n, rest) for n in numbers for t in _COUNTED)
    even = next((each for each in evens if each is not None), None)
    if even is None or not 0 < count < len(unread):
        return None
    mass = log_mass(where_free(f, at, unread.expand_as(at)), at)
    if mass is None:
        return None
    off = float((mass[0] + even)[0])
    if any(abs(off + count * math.log(length)) < mass[1] + 1e-6 for length in _LENGTHS):
        return None
    return Base(z, terms, -even, unread=count)


def _of_any_mass(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z with terms through it that have a mass at all, and all they are added to."""
    return _added_up(sum_, z, sum_.terms_through(z), of_any_law=True)


def _scaled(sum_: DensityTerms, z: Node) -> Base | None:
    """Return z that a flow returned beside its ldj, if its density is counted so many times.

    Where bits are wanted and nats are divided by dims alone, the ldj is as well; where the
    density is averaged over dims, it is not, and its constant may not be. What is left once
    that is taken back has mass 1. The ldjs of what was done before the flow count too.
    """
    parts = _beside_its_ldj(sum_, z)
    if parts is None:
        return None
    terms, rest, numbers = parts
    dims, f = z.value[0].numel(), sum_.of_z(terms, z)
    at = near(z.value.reshape(sum_.batch, -1).double())

    @cache
    def mass(times: float) -> tuple[Tensor, float] | None:
        return log_mass(lambda points: f(points) / times, at)

    def is_density(times: float, constant: Tensor) -> bool:
        known = mass(1.0) and mass(times)  # what does not fall off does so at no scale
        if known is None:
            return False
        return bool(((known[0] + constant).abs() <= max(known[1], 1e-6)).all())

    for number, times in itertools.product(numbers, _scales(dims)):
        for counted in (times, 1.0):
            even = _even(rest - counted * number, rest)
            for constant in () if even is None else (even / times, even):
                if is_density(times, constant):
                    return Base(z, terms, -constant, times)
            usual = torch.full_like(rest, dims * _NORMAL)
            lacks = even is not None and not bool(even.any())
            if lacks and is_density(times, -usual):
                return Base(z, terms, usual, times, lacks=True)
    return None


def _beside_its_ldj(
    sum_: DensityTerms, z: Node
) -> tuple[tuple[Node, ...], Tensor, list[Tensor]] | None:
    """Return terms through z, all else that is said, and the ldj that came with it.

    That may be the flow's alone, or with those of all that was done before it. They are
    `(batch,)`. None where z did not come with one.
    """
    if z not in sum_.handed:
        return None
    before = ancestors(z)
    ldjs = [ldj for y, ldj in sum_.handed.items() if y is z or y in before]
    of_ldj = ancestors(*ldjs)
    terms = tuple(term for term in sum_.terms_through(z) if term not in of_ldj)
    if not terms:
        return None
    ends = {end for end in sum_.ends if end not in terms}
    rest = sum_.of(ends, lambda end: end.value)
    numbers = [each.value.to(rest).reshape(-1).expand(sum_.batch) for each in ldjs]
    own = numbers[[*ldjs].index(sum_.handed[z])]
    return terms, rest, [own, torch.stack(numbers).sum(0)][: len(ldjs)]


def _even(beside: Tensor, of: Tensor) -> Tensor | None:
    """Return what is the same number for all samples, `(batch,)`; None if it is not."""
    even = beside.mean().expand_as(beside)
    same = bool(((beside - even).abs() <= _EVEN * (1 + of.abs())).all())
    return even if same else None


def _scales(dims: int) -> list[float]:
    """Return what a whole density may be multiplied by, that is to be in nats.

    Another base of the logarithm, or a mean over dims, or that taken twice or not at all.
    """
    of_base = [base for e in (2, 10) for base in (math.log(e), 1 / math.log(e))]
    of_dims = [float(dims) ** power for power in (-2, -1, 1, 2)] if dims > 1 else []
    return [*of_base, *of_dims]


def _makes_map(sum_: DensityTerms, z: Node, term: Node) -> bool:
    way = sum_.through[term]
    return any(node in sum_.of_map for node in way[: way.index(z)])


def _is_exact(log: Tensor, error: float) -> bool:
    """Return whether a mass is known in closed form: the terms are quadratic in z."""
    return error < 1e-4 and bool(torch.isfinite(log).all())


def _constants(
    sum_: DensityTerms, z: Node, log: Tensor, error: float, of: Sequence[Node]
) -> tuple[Node, ...] | None:
    """Return the fewest of some terms without z that make a mass 1; None where none do."""
    fixed = _latest(of, z)
    shares = [sum_.of([term], lambda end: end.value) for term in fixed]
    for count in range(len(fixed) + 1):
        for some in itertools.combinations(range(len(fixed)), count):
            off = log + sum((shares[i] for i in some), torch.zeros_like(log))
            if bool((off.abs() <= max(error, 1e-6)).all()):
                return tuple(fixed[i] for i in some)
    return None


def _latest(terms: Sequence[Node], z: Node) -> list[Node]:
    """Return terms without z, those written near it first: others are of the layers."""
    return sorted(terms, key=lambda term: abs(term.index - z.index))[:_TERMS]
