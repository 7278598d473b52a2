"""What to say of layers that cannot be called, and what of them could be checked instead."""

import ast
import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

from ldjcheck.calling.parameter_names import DENSITIES, is_total
from ldjcheck.calling.results import returned_expressions, returned_names
from ldjcheck.calling.signature import method_names, signature_of
from ldjcheck.calling.stated_returns import samplers
from ldjcheck.conventions import densities, recognise_conventions
from ldjcheck.errors import CannotCheckError
from ldjcheck.object_graph import module_of, paths, reachable
from ldjcheck.records import Layer, Options
from ldjcheck.revision import call_name

_NO_OUTPUT = re.compile(r"shape \((\d+,)?\) and no ldj")


def with_parts(
    error: CannotCheckError, layer: Layer, options: Options
) -> CannotCheckError:
    """Return the error with what else could be checked, where the call is not understood."""
    if error.code != "LDJ004":
        return error

    where = paths(layer.obj)
    parts = sorted(
        (where[id(item)] for item in made_by_users(layer) if id(item) in where),
        key=lambda path: (path.count(".") + path.count("["), path),
    )
    hints = []
    tried = [line for line in error.evidence if line.startswith("tried ")]
    method = _own_method(layer.obj, "\n".join(tried))
    known = any("If a method of it" in line for line in error.evidence)
    density = next((name for name, _, _ in densities(layer.obj)), None)
    if density is None and options.kind == "model":
        return uncallable(layer, options)  # its call was tried, and has no base either
    if method not in (None, density) and not known and options.kind != "model":
        hints.append(f"If a method of it does so, name that: {layer.name}.{method}")
    got = [line for line in error.evidence if line.startswith("got ")]
    if any("no ldj" in line for line in got):
        typed = f"ldjcheck derive {quote(layer.target)}"
        by = typed if ":" in layer.target else "ldjcheck.derive(layer)"
        hints.insert(0, f"To have the ldj written of what it does: {by}")
        if density is None and has_no_output(error):
            hints.append("If it is a log-density, or minus one, say so: --kind model")
    if parts:
        hints.append(f"To check a part of it, name that: {layer.name}{parts[0]}")
    if options.kind != "model" and density is not None:
        hints.append(f"To check its {density}, say that it is a model: --kind model")
    return CannotCheckError(error.code, error.message, (*error.evidence, *hints))


def has_no_output(error: CannotCheckError) -> bool:
    """Return whether what first came back was a number, for each sample or for all."""
    got = [line for line in error.evidence if line.startswith("got")]
    return any(map(_NO_OUTPUT.search, got[:1]))


def made_by_users(layer: Layer) -> list[Any]:
    """Return what the layer holds that may be a flow layer: torch's networks are none."""
    return [
        item
        for item in reachable(layer.obj)
        if item is not layer.obj
        and callable(item)
        and not module_of(type(item)).startswith(("torch.nn", "builtins"))
        and recognise_conventions(item)
    ]


def uncallable(layer: Layer, options: Options) -> CannotCheckError:
    """Return what to say where a layer follows no convention, or not the one named."""
    kind, convention = type(layer.obj).__name__, options.convention
    if options.kind == "model":
        names = [name for each in DENSITIES.values() for name in each]
        return CannotCheckError(
            "LDJ004",
            f"{layer.name} has no density that I know by its name.",
            (
                f"I look for a method named {', '.join(names[:-1])} or {names[-1]}.",
                "Where it has another name, add one of these that calls it.",
            ),
        )
    if convention != "auto":
        return CannotCheckError(
            "LDJ004",
            f"{layer.name} cannot be called by the convention {convention}.",
            (
                f"Its type, {kind}, has not the signature or the methods of that.",
                "Without --convention it is recognised. Or write the call down:",
                "  --convention 'f(x, flag=True) -> y, ldj'",
            ),
        )
    next_ = ["A flow layer is called with x and returns y and its ldj."]
    if method := _own_method(layer.obj):
        next_ += [f"If a method of it does so, name that: {layer.name}.{method}"]
    return CannotCheckError(
        "LDJ004",
        f"I do not know how to call {layer.name}.",
        (f"Its type, {kind}, takes no input when it is called.", *next_),
    )


def _own_method(obj: Any, tried: str = "") -> str | None:
    """Return a public method of an object that takes an input, and was not tried.

    Those first whose source says that they return an ldj, or a draw with its density.
    """
    ordered = (*samplers(obj), *methods_with_ldj(obj), *own_methods(obj))
    takes = {*own_methods(obj)}
    return next((n for n in ordered if n in takes and f"{n}(" not in tried), None)


def methods_with_ldj(obj: Any) -> Iterator[str]:
    """Yield the methods of an object whose source says that they return an ldj.

    By a name for one in it, or by a logarithm that is returned.
    """
    for name in own_methods(obj):
        parts = returned_expressions(getattr(obj, name))
        nodes = [node for part in parts for node in ast.walk(part)]
        names = [*returned_names(getattr(obj, name))]
        names += [node.id for node in nodes if isinstance(node, ast.Name)]
        if any(map(is_total, names)) or any(
            call_name(node).startswith("log") for node in nodes
        ):
            yield name


def own_methods(obj: Any) -> Iterator[str]:
    """Yield the public methods of an object that take an input, in their order."""
    for name in () if isinstance(obj, type) else method_names(obj):
        method = getattr(obj, name, None)
        signature = signature_of(method) if callable(method) else None
        if name == "forward" or name.startswith("_"):
            continue
        if signature is not None and signature.names:
            yield name
