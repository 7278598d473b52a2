"""The verdict from outside: a layer's numbers, compared without trusting its process.

The layer runs in a confined process and answers with numbers. Here, where no submitted code
runs, J is taken by central differences at inputs that were not known before, and log|det J|
is compared with what the layer reports. Whatever the other process does to itself, it is
judged right only where its two answers belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ldjcheck.grading.confined import BrokenChannelError
from ldjcheck.grading.records import Sample

Array = NDArray[np.float64]

_STEP = 1e-4
_CLOSE = 1e-6  # nats, and relative: far above what differences leave, below any mistake
_VAGUE = 1e-3  # nats: an exact value that is known no better proves nothing
_SAME = 1e-7  # relative: two outputs that are one
_LEADS_BACK = 1e-4  # relative: a solver may stop there
_MOST_DIMS = 256
_BATCH = 3
_TOLD = 8  # entries of an input that a student can type
_DRAWS = (101, 202)  # of the parameters; those of the check itself are others

IDENTITY = "it leaves every input as it is"
OTHER_MAP = "it is another map than was asked for"

Standing = Literal["right", "wrong", "unproven", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How a layer's numbers stand: `why` says it in words, samples show it."""

    standing: Standing
    why: str = ""
    directions: tuple[str, ...] = ()
    worst: Sample | None = None
    same_map: bool | None = None  # as the reference's; None: not compared
    fault: Mapping[str, Any] | None = None  # why it could not be run at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a layer: where inputs live, and what it must have."""

    domain: str
    shape: tuple[int, ...]
    needs_inverse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a reference gives: by draw its parameters, the noise that it drew, its output.

    It is asked once for a whole class, since all are asked the same.
    """

    states: Mapping[int, Mapping[str, Any]]
    noises: Mapping[int, Array | None]
    outputs: Mapping[int, Array]


Models = Mapping[str, Model]
"""Those of the exercises, by their names."""


class Remote:
    """A layer in another process, as a function of numbers."""

    def __init__(self, ask: Callable[[Any], Any], about: Mapping[str, Any]) -> None:
        self._ask = ask
        self.about = about

    def set_up(self, draw: int) -> Mapping[str, Any]:
        """Take the parameters of a draw; return their values by name."""
        answer = self._asked({"ask": "set up", "draw": draw, "batch": _BATCH})
        state = answer.get("state")
        return state if isinstance(state, dict) else {}

    def load(self, state: Mapping[str, Any]) -> list[str]:
        """Give the parameters these values; return those that do not fit."""
        odd = self._asked({"ask": "load", "state": state}).get("odd")
        return [str(name) for name in odd] if isinstance(odd, list) else ["?"]

    def run(
        self, direction: str, x: Array, key: str, *, through: bool = False,
        noise: Array | None = None,
    ) -> Run:  # fmt: skip
        """Return what a call gives.

        Raises:
            CallFailedError: the layer raised.
            BrokenChannelError: what came back are no numbers.
        """
        question = {
            "ask": "run",
            "direction": direction,
            "x": x.tolist(),
            "key": key,
            "through": through,
            "noise": None if noise is None else noise.tolist(),
        }
        answer = self._asked(question)
        y, ldj = _array(answer.get("y")), answer.get("ldj")
        if not y.ndim or len(y) != len(x):
            raise BrokenChannelError("what it sent are not the numbers asked for")
        noise_drawn = answer.get("noise")
        return Run(
            y=y,
            ldj=None if ldj is None else _array(ldj),
            form=str(answer["form"]) if answer.get("form") else None,
            noise=None if noise_drawn is None else _array(noise_drawn),
        )

    def _asked(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._ask(question)
        if not isinstance(answer, dict):
            raise BrokenChannelError("what it sent is no answer")
        if "raised" in answer:
            raise CallFailedError(str(answer["raised"]))
        return answer


class CallFailedError(Exception):
    """The layer raised; the text is what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one call gave."""

    y: Array
    ldj: Array | None
    form: str | None = None
    noise: Array | None = None


def _array(value: Any) -> Array:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise BrokenChannelError("what it sent are no numbers") from None


# --- the verdict ----------------------------------------------------------------------


class _WrongError(Exception):
    """Something is wrong that needs no further look; the text says what."""


class _UnprovenError(Exception):
    """Nothing can be said from outside; the text says why."""


def model_of(remote: Remote, asked: Asked) -> Model:
    """Return what a reference gives at the inputs that all are asked about.

    Raises:
        CallFailedError: it raised.
        BrokenChannelError, TimeoutError: it gives no answer.
    """
    states, noises, outputs = {}, {}, {}
    for number, draw in enumerate(_DRAWS):
        states[draw] = remote.set_up(draw)
        run = remote.run(remote.about["directions"][0], _inputs(asked, number), "model")
        noises[draw], outputs[draw] = run.noise, run.y
    return Model(states=states, noises=noises, outputs=outputs)


def judge(remote: Remote, asked: Asked, model: Model | None = None) -> Numbers:
    """Return how a layer's numbers stand.

    Both ways are looked at, at two draws of the parameters. With a `model` the layer is
    given its parameters, and must map as it does.

    Raises:
        BrokenChannelError, TimeoutError: the other process gives no answer.
    """
    if "fault" in remote.about:
        return Numbers(standing="wrong", fault=remote.about["fault"])
    judging = _Judging(remote, asked, model)
    if asked.needs_inverse and "inverse" not in judging.directions:
        return judging.concluded("absent", "there is no way back")
    try:
        for number in range(len(_DRAWS)):
            judging.look(number)
    except _WrongError as error:
        return judging.concluded("wrong", str(error))
    except CallFailedError as error:
        return judging.concluded("wrong", f"a call raised {error}")
    except _UnprovenError as error:
        return judging.concluded("unproven", str(error))
    if any(sample.is_wrong for sample in judging.samples):
        return judging.concluded("wrong", "the ldj is not that of the map")
    if judging.same_map is False:
        return judging.concluded("wrong", OTHER_MAP)
    if not judging.samples:
        return judging.concluded("unproven", "no exact value could be had from outside")
    if not judging.moved:
        return judging.concluded("unproven", IDENTITY)
    return judging.concluded("right", "")


class _Judging:
    """What was seen of one layer so far."""

    def __init__(self, remote: Remote, asked: Asked, model: Model | None) -> None:
        self._remote, self._asked, self._model = remote, asked, model
        known = remote.about["directions"]
        self.directions = tuple(d for d in ("forward", "inverse") if d in known)
        self.samples: list[Sample] = []
        self.moved = False
        self.same_map: bool | None = None

    def look(self, number: int) -> None:
        """Look at one draw of the parameters, further out at each."""
        remote, asked, draw = self._remote, self._asked, _DRAWS[number]
        if math.prod(asked.shape) > _MOST_DIMS:
            raise _UnprovenError(f"more than {_MOST_DIMS} dims: choose a smaller shape")
        if not remote.about["promoted"]:
            raise _UnprovenError("it runs in float32 only")
        remote.set_up(draw)
        model = self._model
        if model is not None and remote.load(model.states[draw]):
            remote.set_up(draw)
            model = None  # its parameters do not fit
        x, key = _inputs(asked, number), str(draw)
        way = self.directions[0]
        first, samples = self._compare(way, x, key)
        self._is_repeatable(way, x, first, key)
        self._is_apart(way, x, first, key)
        if model is not None:
            self._compare_maps(way, x, draw, model)
        if way == "forward" and "inverse" in self.directions:
            self._way_back(x, first, samples, f"{key} back")

    def _compare(self, way: str, x: Array, key: str) -> tuple[Run, dict[int, Sample]]:
        """Compare the samples' two numbers; return the call, and those that it decides."""
        first = self._remote.run(way, x, key)
        if first.y.size != x.size:
            raise _UnprovenError("as many numbers do not come out as went in")
        self.moved = self.moved or not _alike(first.y.reshape(x.shape), x)
        if first.ldj is None:
            why = first.form or "it reports none"
            raise _UnprovenError(f"its ldj cannot be read from outside: {why}")
        exact, off = self._exact(way, x, first, key)
        return first, self._noted(way, first.ldj, exact, off, x)

    def _noted(
        self, way: str, reported: Array, exact: Array, vague: Array, x: Array
    ) -> dict[int, Sample]:
        """Note the samples whose exact value is known well enough; return them by index."""
        if reported.shape != exact.shape:
            raise BrokenChannelError("what it sent are not the numbers asked for")
        found = {
            int(index): Sample(
                direction=way,
                reported=float(reported[index]),
                exact=float(exact[index]),
                allowed=float(_CLOSE * (1.0 + abs(exact[index])) + vague[index]),
                index=int(index),
                x=tuple(map(float, x[index].ravel())) if x[0].size <= _TOLD else (),
            )
            for index in np.flatnonzero(vague <= _VAGUE)
        }
        self.samples += found.values()
        return found

    def _noise_of(self, first: Run) -> Array | None:
        """Return the noise where it is what is mapped: of whole numbers it is."""
        return first.noise if self._asked.domain.startswith("int") else None

    def _exact(self, way: str, x: Array, first: Run, key: str) -> tuple[Array, Array]:
        """Return log|det J| of each sample, and how far it may be off.

        Of whole numbers the noise is what is mapped, else the input.
        """
        noise = self._noise_of(first)

        def mapped(point: Array) -> Array:
            pair = (point, first.noise) if noise is None else (x, point)
            return self._remote.run(way, pair[0], key, noise=pair[1]).y

        at = x if noise is None else noise.reshape(x.shape)
        return log_abs_det(*difference_jacobian(mapped, at))

    def _is_repeatable(self, way: str, x: Array, first: Run, key: str) -> None:
        again = self._remote.run(way, x, key, noise=first.noise)
        if not (_alike(again.y, first.y) and _alike(again.ldj, first.ldj)):
            raise _WrongError("the same call gives another answer")

    def _is_apart(self, way: str, x: Array, first: Run, key: str) -> None:
        others = x.copy()
        fresh = np.random.default_rng(_DRAWS[0] + 1)
        others[1:] = inputs(self._asked.domain, x[1:].shape, 1.0, fresh)
        beside = self._remote.run(way, others, key, noise=first.noise)
        same = _alike(beside.y[:1], first.y[:1])
        if not (same and beside.ldj is not None and first.ldj is not None):
            raise _WrongError("a sample's output depends on its companions")
        if not _alike(beside.ldj[:1], first.ldj[:1]):
            raise _WrongError("a sample's ldj depends on its companions")

    def _compare_maps(self, way: str, x: Array, draw: int, model: Model) -> None:
        noise = model.noises[draw]
        ours = self._remote.run(way, x, f"{draw} model")
        if noise is not None:
            ours = self._remote.run(way, x, f"{draw} model", noise=noise)
        same = _alike(ours.y, model.outputs[draw])
        self.same_map = same and self.same_map is not False

    def _way_back(
        self, x: Array, first: Run, samples: Mapping[int, Sample], key: str
    ) -> None:
        """Compare the way back: where it leads back, its ldj is minus that of the map."""
        back = self._remote.run("inverse", first.y, key)
        came = back.y.reshape(x.shape) if back.y.size == x.size else None
        off = np.inf if came is None else np.abs(came - x).reshape(len(x), -1).max(1)
        scale = 1.0 + np.abs(x).reshape(len(x), -1).max(1)
        leads_back = off <= _LEADS_BACK * scale
        if not np.any(leads_back):
            raise _WrongError("the way back does not lead back")
        tracked = self._remote.about["tracked"]
        if back.ldj is None or not tracked or not np.any(back.ldj):
            return
        exact, vague = self._exact_back(x, first, samples, key)
        fed = first.y.reshape(len(x), -1)
        self._noted(
            "inverse", back.ldj, exact, np.where(leads_back, vague, np.inf), fed
        )

    def _exact_back(
        self, x: Array, first: Run, samples: Mapping[int, Sample], key: str
    ) -> tuple[Array, Array]:
        """Return log|det J| of the way back, and how far it may be off.

        Where it undoes the map, that is minus the map's. It does not undo what made the
        noise of whole numbers, and is then looked at by itself, rounding seen through.
        """
        if self._noise_of(first) is not None:
            jacobian = difference_jacobian(
                lambda y: self._remote.run("inverse", y, key, through=True).y, first.y
            )
            return log_abs_det(*jacobian)
        exact, off = np.full(len(x), np.nan), np.full(len(x), np.inf)
        for index, sample in samples.items():
            exact[index], off[index] = -sample.exact, sample.allowed
        return exact, off

    def concluded(self, standing: Standing, why: str) -> Numbers:
        """Return what was seen, with the sample that shows it best."""
        return Numbers(
            standing=standing,
            why=why,
            directions=self.directions,
            worst=max(self.samples, key=lambda s: s.off, default=None),
            same_map=self.same_map,
        )


# --- numbers --------------------------------------------------------------------------


def difference_jacobian(
    mapped: Callable[[Array], Array], x: Array
) -> tuple[Array, Array]:
    """Return J `(batch, dims, dims)` by central differences, and how far each is off.

    Extrapolated from two step sizes (Richardson), whose difference is the estimate.
    """
    batch, dims = len(x), x[0].size
    columns, errors = [], []
    for index in range(dims):
        unit = np.zeros((batch, dims))
        unit[:, index] = 1.0
        step = _STEP * unit.reshape(x.shape)

        def slope(times: float, step: Array = step) -> Array:
            ahead, behind = mapped(x + times * step), mapped(x - times * step)
            return (ahead - behind).reshape(batch, dims) / (2 * times * _STEP)

        near, far = slope(1.0), slope(2.0)
        columns.append((4 * near - far) / 3)
        errors.append(np.abs(near - far))
    return np.stack(columns, axis=2), np.stack(errors, axis=2)


def log_abs_det(jacobian: Array, errors: Array) -> tuple[Array, Array]:
    """Return log|det J| of each matrix, and how far errors of its entries move it."""
    exact, off = [], []
    for matrix, error in zip(jacobian, errors, strict=True):
        if not np.isfinite(matrix).all():
            exact.append(math.nan)
            off.append(math.inf)
            continue
        exact.append(float(np.linalg.slogdet(matrix)[1]))
        try:
            weights = np.abs(np.linalg.inv(matrix).T)
            off.append(float((weights * error).sum()))
        except np.linalg.LinAlgError:
            off.append(math.inf)
    return np.array(exact), np.array(off)


def inputs(
    domain: str, shape: tuple[int, ...], reach: float, generator: np.random.Generator
) -> Array:
    """Return inputs from a domain, as `--domain` writes it, shape `(batch, *event)`."""
    kind, _, ends = domain.partition(":")
    if kind == "real":
        return reach * generator.standard_normal(shape)
    if kind == "positive":
        return 0.05 + reach * np.abs(generator.standard_normal(shape))
    low, high = (float(end) for end in ends.split(":")) if ends else (0.0, 1.0)
    if kind == "int":
        return generator.integers(int(low), int(high) + 1, shape).astype(np.float64)
    high = high if math.isfinite(high) else low + 5.0 * reach
    return low + (high - low) * generator.uniform(0.03, 0.97, shape)


def _inputs(asked: Asked, number: int) -> Array:
    """Return the inputs of one draw, which are the same for all who are asked."""
    generator = np.random.default_rng(_DRAWS[number])
    reach = 1.0 + 1.5 * number
    return inputs(asked.domain, (_BATCH, *asked.shape), reach, generator)


def _alike(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return a is b
    return bool(np.allclose(a, b, rtol=_SAME, atol=_SAME, equal_nan=True))
