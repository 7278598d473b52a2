"""What the name of a call's parameter says of it: a flag, a total, a context or a time.

Names decide how a layer is called, and never what is wrong with it.
"""

import re
from typing import Literal

REVERSE_FLAGS = (
    "reverse", "rev", "inverse", "invert", "inv", "backward", "is_reverse", "reversed",
    "sampling", "sample",
)  # fmt: skip
"""Keyword names, met in the wild, of the flag that runs a layer the other way."""

FORWARD_FLAGS = ("forward", "is_forward", "fwd", "direct", "is_direct")
"""The same of flags that are on unless the layer runs the other way."""

SIGNS = ("direction", "sign", "way")
"""The same of numbers that are 1 for one way and -1 for the other."""

Unit = Literal["nats", "-nats", "bits/dim", "nats/dim", "-nats/dim"]
DENSITIES: dict[Unit, tuple[str, ...]] = {
    "nats": ("log_prob", "logprob", "log_likelihood", "log_density", "logp"),
    "-nats": (
        "nll", "neg_log_prob", "neg_log_likelihood", "negative_log_likelihood", "loss",
    ),
    "bits/dim": ("bpd", "bits_per_dim", "bits_per_dimension"),
}  # fmt: skip
"""What a method that returns a density is called, by the unit in which that is."""

_ASKED_FOR = r"^((compute|get|calc|calculate|eval|evaluate)_)?"
_OF_WHAT = r"((?!neg|un|base|prior|latent|noise)[a-z]+_)?"  # `shape_log_prob`, of x
_NAMED: dict[Unit, str] = {
    "nats": _OF_WHAT
    + r"(log_?(probs?|probability|likelihood|lik|density|pdf|px|p_x)|elbo)",
    "-nats": rf"({_OF_WHAT}nll|neg(ative)?_?log_?(prob|likelihood|lik)"
    r"|(nll_|flow_|ml_)?loss(_function|_fn)?|forward_kld|neg_?elbo|free_energy"
    r"|(training|validation|test)_step)",
    "bits/dim": r"(bpd|bits_?per_?dim(ension)?s?)(_loss)?",
    "nats/dim": r"log_?(prob|likelihood)_per_dim(ension)?",
    "-nats/dim": r"(nll|neg_log_(prob|likelihood))_per_dim(ension)?",
}
_METHODS = {unit: re.compile(f"{_ASKED_FOR}{words}$") for unit, words in _NAMED.items()}
"""Further names that methods have, for which variables have none: `compute_nll`."""

SAMPLERS = (
    "sample_and_log_prob", "rsample_and_log_prob", "sample_with_log_prob", "rsample",
    "sample",
)  # fmt: skip
"""Method names, met in the wild, of what draws samples, with their density or without."""

CALLS = ("forward", "_call", "__call__")
"""Methods that run when an object of a layer's kind is called."""

NO_CALL = "_forward_unimplemented"
"""What torch calls the forward of a module that has none."""

METHODS_OF_WAYS = {
    "encode": ("decode",),
    "call": ("inverse", "inverse_call", "invert"),
    "_forward": ("_inverse",),
    "transform": ("inverse_transform", "inverse", "untransform", "invert"),
    "forward_transform": ("inverse_transform", "backward_transform", "reverse"),
    "forward_pass": ("inverse_pass", "reverse_pass", "backward_pass"),
    "fwd": ("bwd", "inv", "rev"),
    "f": ("g", "f_inv", "finv", "inv", "inverse", "f_inverse", "inverse_f"),
    "flow": ("inverse_flow", "reverse_flow", "unflow"),
    "apply": ("invert", "inverse", "apply_inverse"),
    "infer": ("generate",),
    "inference": ("generation",),
    "normalize": ("denormalize", "unnormalize"),
    "to_latent": ("from_latent", "to_data"),
    "to_base": ("from_base", "to_data"),
    "to_z": ("to_x", "from_z"),
    "x_to_z": ("z_to_x",),
}
"""Method names, met in the wild, of the way there, and of the ways back that go with it."""

_COUNT = re.compile(
    r"^(n|num|k|b|bs|count|batch|batch_?size|(n|num|no)_?(of_)?(samples?|points|z)"
    r"|n?samples?|sample_size)$",
    re.IGNORECASE,
)
_ASKS_DENSITY = re.compile(
    r"^((return|with|get|compute)_)?log_?(p|q|prob|probs|density)(_?pi)?$|^with_logprob$",
    re.IGNORECASE,
)
_SIZE = re.compile(r"^((batch|sample)_)?shape$|^size$", re.IGNORECASE)

_TOTAL = re.compile(
    r"^_?(s?ldj|.*ldj.*|.*log_?_?abs_?det.*|.*log_?det.*|.*ladj.*|.*log_?(abs_?)?jac.*|.*jacobian.*"
    r"|log_?vol(ume)?|log_?d[fxyz]_?d[xyz]?|d_?log_?[pq]|log_?j|obj|objective|jac|ld|logd)$",
    re.IGNORECASE,
)
_DENSITY = re.compile(
    r"^_?(log_?p[xyz]?|log_?p_?[xyz]|log_?prob|log_?probs|delta_?log_?p|log_?q|ll)$",
    re.IGNORECASE,
)
_OUTPUT = re.compile(r"(y|z|out|outputs?|latents?|noise|transformed)(_out)?")
_CONTEXT = re.compile(
    r"context|cond|label|embed|dims?_c$|^c_dim|_h$|^h_", re.IGNORECASE
)
_DENSITY_OF_X = re.compile(r"_?log_?(p|prob|q)(?!z)(?![a-z]{2})")
_TIMES = ("t", "time")
OBJECTIVES = {"obj", "objective"}
"""Totals of ldjs alone, or with the density of z added."""
_BOUND = re.compile(_ASKED_FOR + r"((neg_?)?elbo|free_energy)$")


def is_total(name: str) -> bool:
    """Return whether something of this name is an ldj, or a running total of ldjs."""
    return bool(_TOTAL.match(name.replace("-", "_")))  # a key may have a dash


def is_output(name: str) -> bool:
    """Return whether something of this name is what a layer makes of its input."""
    return bool(_OUTPUT.fullmatch(name))


def is_density(name: str) -> bool:
    """Return whether something of this name is a log-density."""
    return bool(_DENSITY.match(name))


def is_density_of_x(name: str) -> bool:
    """Return whether something of this name is a log-density of x, whole or in parts."""
    return unit_of(name) is not None or bool(_DENSITY_OF_X.match(name))


def unit_of(name: str) -> Unit | None:
    """Return the unit of a density of this name; None where it is no density's name."""
    return next((unit for unit, known in DENSITIES.items() if name in known), None)


def is_count(name: str, default: object = None) -> bool:
    """Return whether an argument says how many samples to draw, by name or default."""
    whole = isinstance(default, int) and not isinstance(default, bool)
    return whole or is_size(name) or bool(_COUNT.match(name))


def asks_for_density(name: str) -> bool:
    """Return whether a flag of this name asks for the density beside a sample."""
    return bool(_ASKS_DENSITY.match(name))


def is_size(name: str) -> bool:
    """Return whether it says so by a shape, `(n,)`."""
    return bool(_SIZE.match(name))


def unit_of_method(name: str) -> Unit | None:
    """Return the unit of the density that a method of this name returns, if it is one's."""
    found = (unit for unit, names in _METHODS.items() if names.match(name))
    return unit_of(name) or next(found, None)


def is_bound(name: str) -> bool:
    """Return whether a method of this name returns a bound of a density, or what is trained.

    It holds more than a density, and is none that can be checked by itself.
    """
    return bool(_BOUND.match(name))


def is_loss(name: str) -> bool:
    """Return whether a method of this name may return more than a density: a penalty."""
    return "loss" in name or is_step(name)


def is_step(name: str) -> bool:
    """Return whether a method of this name returns the loss of what a loader has, a batch."""
    return name.endswith("_step")


def is_about_context(name: str) -> bool:
    """Return whether an argument is named like a context."""
    return name in ("c", "h") or speaks_of_context(name)


def speaks_of_context(name: str) -> bool:
    """Return whether a name, an attribute's as well, holds a word for a context."""
    return _CONTEXT.search(name) is not None


def is_time(name: str) -> bool:
    """Return whether an argument is named like a time."""
    return name in _TIMES


def is_beside(name: str) -> bool:
    """Return whether an argument is named like what stands beside an input, and is none."""
    return is_about_context(name) or is_time(name) or "mask" in name


def is_way_back(name: str, value: object) -> bool:
    """Return whether an argument, by its name and value, runs a layer the other way."""
    if name in FORWARD_FLAGS:
        return value is False
    if name in SIGNS:
        return value == -1
    return name in REVERSE_FLAGS and bool(value)
