"""From JSON back to records, by the types of their fields."""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints


def from_plain(kind: Any, plain: Any) -> Any:
    """Return a value of a kind from what JSON has for it: lists are tuples, words numbers.

    Raises:
        KeyError, TypeError, ValueError: it is none of this kind.
    """
    kinds = (kind, *get_args(kind))  # what may be None has another beside it
    record: Any = next(filter(is_dataclass, kinds), None)
    if record is not None and isinstance(plain, dict):
        types = _types(record)
        return record(**{key: from_plain(types[key], plain[key]) for key in plain})
    if isinstance(plain, list | tuple):
        (of, *_) = next(get_args(each) for each in kinds if get_origin(each) is tuple)
        return tuple(from_plain(of, each) for each in plain)
    return float(plain) if float in kinds and isinstance(plain, str) else plain


_types = cache(get_type_hints)
