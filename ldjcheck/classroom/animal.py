"""What is known about one layer of the zoo, before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import getdoc
from typing import Any

from ldjcheck.records import Direction, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """A layer that is built without arguments, and what a check must say about it.

    `code` is the first finding that a wrong layer gets, None for a right one; where the
    page of that rule admits another name for the same numbers, it is among `ties`.
    `yet` is the name that it still gets where that is not the right one.
    `beside` are findings that must stand beside the first, `admits` notes that may. `near`
    is, of a right layer, the rule whose mistake it looks like; `twin`, of a wrong one, the
    same layer without the mistake.
    """

    layer: Callable[[], Any]
    code: str | None = None
    direction: Direction | None = None
    near: str | None = None
    twin: Callable[[], Any] | None = None
    ties: tuple[str, ...] = ()
    yet: str | None = None
    beside: tuple[str, ...] = ()
    admits: tuple[str, ...] = ()
    shape: Shape | None = None
    options: tuple[tuple[str, Any], ...] = ()
    family: str = ""

    @property
    def name(self) -> str:
        """The name of its class or function."""
        return self.layer.__name__

    @property
    def what(self) -> str:
        """One line that says what it does, or gets wrong."""
        return (getdoc(self.layer) or "").partition("\n")[0]


def wrong(
    code: str,
    layer: Callable[[], Any],
    direction: Direction | None = "forward",
    *,
    twin: Callable[[], Any] | None = None,
    **more: Any,
) -> Animal:
    """Return a layer with a mistake; its twin is the class that it inherits from."""
    if twin is None:
        assert isinstance(layer, type), layer
        twin = layer.__mro__[1]
    return _animal(layer, code=code, direction=direction, twin=twin, **more)


def right(layer: Callable[[], Any], near: str | None = None, **more: Any) -> Animal:
    """Return a layer without a mistake; `near` is the code of what it looks like."""
    return _animal(layer, near=near, **more)


def family(name: str, shape: Shape | None, *animals: Animal) -> tuple[Animal, ...]:
    """Return the layers of one family, at its shape where they do not say another."""
    return tuple(
        replace(a, family=name, shape=shape if a.shape is None else a.shape)
        for a in animals
    )


def _animal(
    layer: Callable[[], Any],
    *,
    options: dict[str, Any] | None = None,
    **known: Any,
) -> Animal:
    return Animal(layer=layer, options=tuple((options or {}).items()), **known)
