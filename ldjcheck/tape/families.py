"""Families of operations by what they do to a sum of terms."""

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

SPLIT = frozenset({"chunk", "split", "unbind", "tensor_split", "split_with_sizes"})
JOIN = frozenset({"cat", "stack", "concat", "concatenate", "hstack", "vstack"})

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
