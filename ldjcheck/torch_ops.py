"""The operations of torch by name, in families: what each does to values and to terms.

All stand in one table. What else the package asks of them by name is a view of it, below;
which arguments an operation is linear in follows from its families, see `tape.linear`.
"""

from typing import Literal, NamedTuple


class Op(NamedTuple):
    """One operation."""

    names: str  # under which `__torch_function__` hears of it, the plainest first
    families: str = ""  # words of the views below, where they are explained
    inverse: str = ""  # which function undoes it, where one is taken for the other
    home: Literal["torch", "functional", "special"] = "torch"  # where a source finds it
    in_math: bool = False  # `math` has it for plain numbers

    @property
    def plain_names(self) -> list[str]:
        """Its names without underscores; one that is also there in place comes twice."""
        return [plain_name(name) for name in self.names.split()]


def _each(names: str, families: str = "") -> tuple[Op, ...]:
    """Return several operations of one name each, which are alike."""
    return tuple(Op(name, families) for name in names.split())


OPERATIONS: tuple[Op, ...] = (
    # arithmetic
    Op("add __add__ __radd__ __iadd__ add_", "add"),
    Op("sub __sub__ __isub__ sub_ subtract subtract_", "subtract"),
    Op("rsub __rsub__", "subtract"),
    Op("mul __mul__ __rmul__ __imul__ mul_ multiply multiply_", "multiply"),
    Op("div divide", "divide rounded-division"),
    Op("true_divide __truediv__ __itruediv__ __div__ div_", "divide"),
    Op("__rdiv__ __rtruediv__"),
    Op("__floordiv__ floor_divide", "floor-division"),
    Op("neg __neg__ negative neg_", "negate"),
    Op("pow float_power"),
    Op("square", "even", inverse="sqrt"),
    Op("sqrt", inverse="square"),
    Op("abs __abs__ absolute", "even abs"),
    Op("sign sgn", "flat"),
    # products: what each list of them is for, its view says
    Op(
        "matmul __matmul__",
        "product mixing projection hidden factor weighted last-axis",
    ),
    Op("__rmatmul__", "product mixing projection hidden factor"),
    Op("mm", "product mixing projection hidden factor last-axis"),
    Op("mv", "product mixing projection last-axis"),
    Op("bmm", "product mixing factor last-axis"),
    *_each("dot inner", "product mixing projection"),
    Op("tensordot", "product mixing"),
    *_each("outer vdot", "product"),
    *_each("linalg_multi_dot chain_matmul", "factor"),
    Op("linear", "mixing projection hidden weighted of-weight"),
    Op("einsum", "mixing projection last-axis"),
    Op("addmm", "mixing weighted added"),
    Op("baddbmm", "mixing added"),
    *_each("conv1d conv2d conv3d", "convolution weighted of-weight"),
    *_each("conv_transpose1d conv_transpose2d conv_transpose3d", "transposed"),
    *_each("linalg_solve linalg_solve_triangular triangular_solve lu_solve", "solver"),
    *_each("inverse linalg_inv pinverse linalg_pinv", "inverse"),
    *_each("adjoint H mH", "turned"),
    *_each("diag_embed diagflat", "diagonal"),
    # functions of one entry, and logarithms of several
    Op("exp", inverse="log", in_math=True),
    Op("log log_", "log", inverse="exp", in_math=True),
    *_each("log2 log2_ log10 log10_ logdet", "log"),
    Op("log1p", "log", inverse="expm1", in_math=True),
    Op("expm1", inverse="log1p", in_math=True),
    *_each("slogdet logsumexp logaddexp log_softmax", "logarithm"),
    Op("softplus", "logarithm", home="functional"),
    Op("logsigmoid", "logarithm", home="functional"),
    Op("sigmoid expit", inverse="logit"),
    Op("logit", inverse="sigmoid"),
    Op("tanh", inverse="atanh", in_math=True),
    Op("atanh arctanh", inverse="tanh"),
    Op("sinh", inverse="asinh", in_math=True),
    Op("asinh arcsinh", inverse="sinh"),
    Op("cosh", in_math=True),
    Op("sin", inverse="asin"),
    Op("asin arcsin"),
    Op("acos arccos"),
    Op("atan arctan"),
    Op("ndtr", home="special"),
    Op("ndtri", home="special"),
    # bounds, and comparisons
    Op("clamp clamp_ clip clip_", "bounded clamp clip"),
    *_each("clamp_min clamp_max hardtanh", "bounded clamp"),
    *_each("clamp_min_ clamp_max_ hardtanh_ relu relu_ relu6", "bounded"),
    *_each("lt gt le ge __lt__ __gt__ __le__ __ge__", "compare"),
    *_each("less greater less_equal greater_equal", "compare"),
    *_each("maximum minimum fmax fmin", "extreme"),
    # sums
    *_each("sum mean nansum", "reduce"),
    *_each("trace cumsum einops_sum", "linear"),
    # entries that are moved, repeated, left out, or stay where they are
    *_each("chunk split unbind tensor_split split_with_sizes", "split"),
    *_each("cat stack concat concatenate hstack vstack", "join"),
    *_each("__setitem__ scatter scatter_ index_copy index_copy_", "put"),
    *_each("masked_scatter index_put index_put_ copy_", "put"),
    *_each("t T mT transpose swapaxes", "shape move turned"),
    *_each("view_as expand_as", "shape move like"),
    *_each("view reshape squeeze unsqueeze flatten unflatten ravel", "shape move"),
    *_each("expand permute movedim swapdims flip roll as_strided", "shape move"),
    *_each("select narrow index_select", "shape move"),
    *_each("__getitem__ gather take_along_dim", "shape move pick"),
    Op("diagonal", "shape move"),
    *_each("moveaxis fliplr flipud rot90 rearrange take masked_select", "move"),
    *_each("pixel_shuffle pixel_unshuffle channel_shuffle", "move"),
    Op("diag", "shape diagonal"),
    Op("reshape_as", "like"),
    *_each("squeeze_ unsqueeze_ broadcast_to repeat tile", "shape"),
    *_each("tril triu masked_fill", "shape"),
    *_each("detach data", "shape same transparent"),
    Op("detach_", "transparent"),
    *_each("clone contiguous real alias cpu as_subclass", "shape same"),
    *_each("to double type type_as", "shape same cast"),
    Op("float", "shape same cast to-low"),
    *_each("half bfloat16", "cast to-low"),
    *_each("int long short byte char", "to-integer"),
    *_each("copy identity dropout requires_grad", "same"),
    # what has no derivative but zero
    *_each("floor ceil round trunc fix", "flat rounding"),
    *_each("argmax argmin argsort searchsorted bucketize heaviside one_hot", "flat"),
    # tensors that are made, or drawn
    *_each("zeros_like ones_like full_like empty_like", "factory flat"),
    *_each("zeros ones full empty arange linspace eye meshgrid", "factory"),
    *_each("new_zeros new_ones new_full new_empty", "factory"),
    *_each("tril_indices triu_indices as_tensor scalar_tensor", "factory"),
    *_each("tensor new_tensor from_numpy", "factory copy"),
    *_each("rand_like randn_like", "random flat"),
    *_each("rand randn randint randint_like randperm normal poisson", "random"),
    *_each("bernoulli multinomial binomial", "random"),
    *_each("_standard_gamma _sample_dirichlet", "random"),
    *_each(
        "uniform_ normal_ random_ exponential_ bernoulli_ kaiming_uniform_",
        "random-in-place",
    ),
    *_each("log_normal_ cauchy_ geometric_", "random-in-place"),
    # what hands back no tensor
    Op("item", "shape number unrecorded"),
    *_each("__float__ tolist numpy __array__", "number unrecorded"),
    *_each("__bool__ __int__ __complex__ __index__ __len__", "unrecorded"),
    *_each("__format__ __repr__ __hash__ __contains__ __set__", "unrecorded"),
    *_each("__dir__ __reduce_ex__ __setstate__ __deepcopy__", "unrecorded"),
    *_each("size dim ndimension numel nelement element_size", "unrecorded"),
    *_each("stride storage_offset data_ptr untyped_storage", "unrecorded"),
    *_each("get_device is_contiguous is_floating_point is_complex", "unrecorded"),
    *_each("is_storage is_signed is_inference is_same_size", "unrecorded"),
    *_each("is_nonzero _is_all_true allclose equal", "unrecorded"),
    *_each("requires_grad_ retain_grad register_hook backward", "unrecorded"),
    Op("_set_grad_enabled", "unrecorded"),
)


_NAMES = frozenset(name for op in OPERATIONS for name in op.names.split())
_IN_MODULES = {
    f"{module}_{name}": name
    for module in ("linalg", "special")
    for name in _NAMES
    if f"{module}_{name}" not in _NAMES
}
"""How torch calls what the table has by a plain name: `torch.special.log1p`."""


def named(family: str) -> frozenset[str]:
    """Return all names of the operations of a family.

    Raises:
        ValueError: there are none.
    """
    found = [op.names.split() for op in OPERATIONS if family in op.families.split()]
    if not found:
        raise ValueError(f"no operation is of the family {family!r}")
    return frozenset(name for names in found for name in names)


def heard_as(name: str) -> str:
    """Return the table's name of a function that torch calls by its module: `log1p`."""
    return _IN_MODULES.get(name, name)


def plain_name(name: str) -> str:
    """Return an operation's name without underscores, in place or not: `add`."""
    if name.startswith("__i") and name.endswith("__"):
        return name.strip("_")[1:]
    return name.strip("_")


def _plain(family: str) -> frozenset[str]:
    return frozenset(map(plain_name, named(family)))


ADD, SUBTRACT = named("add"), named("subtract")
MULTIPLY, DIVIDE = named("multiply"), named("divide")
NEGATE = named("negate")
PRODUCTS = named("product")
"""Linear in each of the first two arguments, like a product entry by entry."""
REDUCE = named("reduce")
LOG = named("log")
TRANSPARENT = named("transparent")
"""What changes no value: derivatives are asked of the map as it is."""
SHAPES = named("shape")
LINEAR = SHAPES | REDUCE | NEGATE | named("linear")
"""Linear in their first argument."""
LOGARITHMS = (LOG | named("logarithm")) - {"log_", "log2_", "log10_"}
"""Take a logarithm, be it of a sum of exponentials; of those in place, the plain name."""

MIXING = _plain("mixing")
"""Multiply by one matrix along an axis. These, and the next ones, by plain names."""
PROJECTIONS = _plain("projection")
"""Make one number of a vector, where the other factor is one."""
HIDDEN = _plain("hidden")
"""Multiply by the matrix of a hidden layer."""
FACTORS = _plain("factor")
"""Products whose determinant is that of their factors."""
WEIGHTED = _plain("weighted") - {"rmatmul"}
"""Are products with a weight, where one of their arguments is one."""
CONVOLUTIONS = _plain("convolution")
SOLVERS = _plain("solver")
"""Divide by a matrix."""
INVERTED = _plain("inverse")
TURNED = _plain("turned")
"""Swap two axes of a matrix."""
DIAGONALS = _plain("diagonal")
"""Make a matrix of its diagonal."""

BOUNDED = named("bounded")
"""Leave their first argument as it is where it is inside of a bound."""
CLAMPS = named("clamp")
"""Those whose bounds are numbers that somebody has written."""
CLIPS = named("clip")
"""Those that are called with both bounds."""
COMPARES = named("compare")
PICKS = named("pick")
"""Take entries along an axis by whole numbers."""
EXTREMES = named("extreme")
"""Take the larger, or the smaller, of two."""
ABSOLUTE = named("abs")
MAGNITUDES = named("even")
"""Are the same of a number and of minus it."""

RANDOM_IN_PLACE = named("random-in-place")
RANDOM = RANDOM_IN_PLACE | named("random")
"""Draw from a generator; the in-place ones overwrite their first argument."""

TO_INTEGER = named("to-integer")
_ROUNDING = named("rounding")
TO_LOW_PRECISION = named("to-low")
CASTS = named("cast")
FLOOR_DIVISION = named("floor-division")
ROUNDED_DIVISION = named("rounded-division")
"""Round where they are given a `rounding_mode`."""
FLAT = named("flat")
"""Have no derivative but zero."""

NUMBERS = named("number")
"""Hand the numbers of a tensor to Python, and no derivative with them."""
COPIES = named("copy")
"""Make a tensor of numbers, which knows nothing of where they come from."""
SPLIT = named("split")
JOIN = named("join")
PUT = named("put")
"""Put entries of one value into another."""
SAME = named("same")
"""What hands its first argument on as it is, in evaluation."""
LIKE = SAME | named("like")
"""What takes a form, and no number, from all but its first argument."""
MOVES = SPLIT | named("move")
"""What only moves entries, or leaves some out."""
FACTORIES = named("factory")
UNRECORDED = named("unrecorded")
"""Calls that hand back no tensor of the computation."""

UNDOES = {op.plain_names[0]: op.inverse for op in OPERATIONS if op.inverse}
"""The function that undoes another one, where people take one for the other."""


def operation(name: str) -> Op:
    """Return the operation whose plainest name this is, be it in the table or not."""
    return next((op for op in OPERATIONS if op.plain_names[0] == name), Op(name))


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
