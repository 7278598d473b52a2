"""The operations of torch by name, in families: what each does to values and to terms.

The names are those under which `__torch_function__` hears of them.
"""

from __future__ import annotations

ADD = frozenset({"add", "__add__", "__radd__", "__iadd__", "add_"})
SUBTRACT = frozenset(
    {"sub", "__sub__", "__isub__", "sub_", "subtract", "subtract_", "__rsub__", "rsub"}
)
MULTIPLY = frozenset(
    {"mul", "__mul__", "__rmul__", "multiply", "mul_", "__imul__", "multiply_"}
)
DIVIDE = frozenset(
    {"div", "__truediv__", "true_divide", "divide", "div_", "__itruediv__", "__div__"}
)
PRODUCTS = frozenset(
    {
        "matmul", "__matmul__", "__rmatmul__", "mm", "mv", "bmm", "dot", "inner", "vdot",
        "outer", "tensordot",
    }
)  # fmt: skip
"""Linear in each of the first two arguments, like a product entry by entry."""
REDUCE = frozenset({"sum", "mean", "nansum"})
LOG = frozenset({"log", "log2", "log10", "log1p", "logdet", "log_", "log2_", "log10_"})
TRANSPARENT = frozenset({"detach", "data", "detach_"})
"""What changes no value: derivatives are asked of the map as it is."""

SHAPES = frozenset(
    {
        "view", "reshape", "squeeze", "unsqueeze", "flatten", "ravel", "expand",
        "expand_as", "view_as", "permute", "transpose", "t", "T", "mT", "movedim",
        "unflatten", "contiguous", "clone", "detach", "data", "to", "double", "float",
        "type", "type_as", "flip", "roll", "squeeze_", "unsqueeze_", "real", "broadcast_to",
        "as_strided", "repeat", "tile", "item", "cpu", "alias", "as_subclass", "__getitem__",
        "select", "narrow", "index_select", "gather", "diagonal", "diag", "tril", "triu",
        "masked_fill", "swapaxes", "swapdims", "take_along_dim",
    }
)  # fmt: skip
LINEAR = (
    SHAPES
    | REDUCE
    | {"neg", "__neg__", "negative", "neg_", "trace", "cumsum", "einops_sum"}
)
"""Linear in their first argument."""

BOUNDED = frozenset(
    {
        "clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_max", "clamp_min_",
        "clamp_max_", "hardtanh", "hardtanh_", "relu", "relu_", "relu6",
    }
)  # fmt: skip
"""Leave their first argument as it is where it is inside of a bound."""

CLAMPS = frozenset(
    {"clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_max", "hardtanh"}
)
"""Those whose bounds are numbers that somebody has written."""
CLIPS = frozenset({"clamp", "clip", "clamp_", "clip_"})
"""Those that are called with both bounds."""

COMPARES = frozenset(
    {
        "lt", "gt", "le", "ge", "__lt__", "__gt__", "__le__", "__ge__",
        "less", "greater", "less_equal", "greater_equal",
    }
)  # fmt: skip
EXTREMES = frozenset({"maximum", "minimum", "fmax", "fmin"})
"""Take the larger, or the smaller, of two."""
MAGNITUDES = frozenset({"abs", "__abs__", "absolute", "square"})
"""Are the same of a number and of minus it."""

LOGARITHMS = frozenset(
    {
        "log", "log2", "log10", "log1p", "logdet", "slogdet", "logsumexp", "logaddexp",
        "logsigmoid", "log_softmax", "softplus",
    }
)  # fmt: skip
"""Take a logarithm, be it of a sum of exponentials."""

RANDOM_IN_PLACE = frozenset(
    {
        "uniform_", "normal_", "random_", "exponential_", "bernoulli_", "log_normal_",
        "cauchy_", "geometric_",
    }
)  # fmt: skip
RANDOM = RANDOM_IN_PLACE | {
    "rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm",
    "bernoulli", "normal", "poisson", "multinomial", "binomial", "_standard_gamma",
    "_sample_dirichlet",
}  # fmt: skip
"""Draw from a generator; the in-place ones overwrite their first argument."""

TO_INTEGER = frozenset({"int", "long", "short", "byte", "char"})
TO_LOW_PRECISION = frozenset({"float", "half", "bfloat16"})
_ROUNDING = frozenset({"floor", "ceil", "round", "trunc", "fix"})
FLOOR_DIVISION = frozenset({"__floordiv__", "floor_divide"})
ROUNDED_DIVISION = frozenset({"div", "divide"})
"""Round where they are given a `rounding_mode`."""

FLAT = frozenset(
    {
        "floor", "ceil", "round", "trunc", "fix", "sign", "sgn", "argmax", "argmin",
        "argsort", "searchsorted", "bucketize", "heaviside", "one_hot", "zeros_like",
        "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
    }
)  # fmt: skip
"""Have no derivative but zero."""

NUMBERS = frozenset({"item", "__float__", "tolist", "numpy", "__array__"})
"""Hand the numbers of a tensor to Python, and no derivative with them."""
COPIES = frozenset({"tensor", "new_tensor", "from_numpy"})
"""Make a tensor of numbers, which knows nothing of where they come from."""

SPLIT = frozenset({"chunk", "split", "unbind", "tensor_split", "split_with_sizes"})
JOIN = frozenset({"cat", "stack", "concat", "concatenate", "hstack", "vstack"})

SAME = frozenset(
    {
        "to", "clone", "contiguous", "detach", "data", "double", "float", "type",
        "type_as", "alias", "cpu", "real", "as_subclass", "copy", "identity", "dropout",
        "requires_grad",
    }
)  # fmt: skip
"""What hands its first argument on as it is, in evaluation."""

MOVES = SPLIT | {
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "ravel", "expand",
    "expand_as", "view_as", "permute", "transpose", "t", "T", "mT", "movedim",
    "moveaxis", "unflatten", "flip", "fliplr", "flipud", "roll", "as_strided",
    "__getitem__", "select", "narrow", "index_select", "gather", "take_along_dim",
    "swapaxes", "swapdims", "rot90", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "rearrange", "diagonal", "masked_select", "take",
}  # fmt: skip
"""What only moves entries, or leaves some out."""

FACTORIES = frozenset(
    {
        "zeros", "ones", "full", "empty", "arange", "linspace", "eye", "tensor",
        "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
        "new_full", "new_empty", "new_tensor", "meshgrid", "tril_indices", "triu_indices",
        "as_tensor", "scalar_tensor", "from_numpy",
    }
)  # fmt: skip
UNRECORDED = frozenset(
    {
        "size", "dim", "numel", "nelement", "__bool__", "item", "__float__", "__int__",
        "__len__", "__format__", "__repr__", "__hash__", "stride", "storage_offset",
        "is_contiguous", "__index__", "tolist", "is_floating_point", "requires_grad_",
        "untyped_storage", "data_ptr", "element_size", "ndimension", "__contains__",
        "allclose", "equal", "get_device", "is_complex", "backward", "register_hook",
        "__setstate__", "__deepcopy__", "numpy", "__array__", "is_storage", "__set__",
        "is_nonzero", "retain_grad", "__reduce_ex__", "__dir__", "__complex__",
        "_set_grad_enabled", "_is_all_true", "is_signed", "is_inference", "is_same_size",
    }
)  # fmt: skip
"""Calls that hand back no tensor of the computation."""


def writes(name: str) -> bool:
    """Return whether an operation of this name writes into its first argument."""
    if name.endswith("_") and not name.endswith("__"):
        return True
    return name == "__setitem__" or (
        name.startswith("__i")
        and name not in ("__invert__", "__iter__", "__index__", "__int__")
    )


def rounds(name: str) -> bool:
    """Return whether an operation of this name rounds its first argument."""
    return name.removesuffix("_") in _ROUNDING or name in TO_INTEGER


def plain_name(name: str) -> str:
    """Return an operation's name without underscores, in place or not: `add`."""
    if name.startswith("__i") and name.endswith("__"):
        return name.strip("_")[1:]
    return name.strip("_")
