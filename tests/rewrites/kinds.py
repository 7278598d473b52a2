"""All kinds of rewrites, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .expressions import (
    call_function,
    call_method,
    call_statements,
    inline_local,
    name_all,
    name_expression,
)
from .forms import make_function, return_dataclass, return_dict, return_named_tuple
from .order import turn_round
from .renaming import rename_locals, rename_members

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from .code import Code


def several(code: Code, random: Random) -> bool:
    """Rewrite in many ways at once."""
    steps = (
        rename_members, name_expression, call_method, turn_round, call_function,
        inline_local, name_expression, turn_round, rename_locals,
    )  # fmt: skip
    done = [step(code, random) for step in steps]  # all of them
    return any(done)


KINDS: dict[str, Callable[[Code, Random], bool]] = {
    "locals renamed": rename_locals,
    "members renamed": rename_members,
    "expression named": name_expression,
    "all named": name_all,
    "local inlined": inline_local,
    "helper method": call_method,
    "helper function": call_function,
    "helper of two": call_statements,
    "statements turned": turn_round,
    "several at once": several,
    "module to function": make_function,
    "named tuple": return_named_tuple,
    "dataclass": return_dataclass,
    "dict": return_dict,
}
"""Each rewrites some code, by a random choice where there is one; False: it cannot."""
