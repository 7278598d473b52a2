"""Recording a tape while the layer runs.

The recorder sits inside the guard, so what it sees is what was really computed. Values are
tracked by tensor identity and, where tensors share memory, by storage: an in-place write
changes every view of it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.tape.frames import calls_layers, is_users, place_of
from ldjcheck.tape.node import Node, Place
from ldjcheck.torch_ops import ADD, FACTORIES, SUBTRACT, UNRECORDED, writes
from ldjcheck.tracebacks import is_ours, nearest_own
from ldjcheck.tracing import Args, Named, Operation, Operations

_SOURCE_FREE = ("grad", "_grad", "_base", "grad_fn")
_SUMS = ADD | SUBTRACT


def _is_mapped() -> bool:
    """Return whether a transform of `torch.func` runs: its tensors do not outlive it."""
    return torch._C._functorch.peek_interpreter_stack() is not None


class Recorder(Operations):
    """Records every operation of one call as `Node`s.

    Args:
        draws: the frozen random tensors that the guard hands out; they become sources
            marked as random.
    """

    def __init__(self, draws: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.mapped: dict[tuple[Place, ...], None] = {}
        self._draws = {id(draw) for draw in draws}
        self._node_of: dict[int, Node] = {}
        self._kept: list[Tensor] = []  # ids are only unique among the living
        self._by_storage: dict[int, list[Tensor]] = {}
        self._frames: list[FrameType] = []  # likewise for frames, and for their code
        self._codes: list[CodeType] = []
        self._calls: dict[int, int] = {}
        self._known: dict[tuple[int, int], Place] = {}
        self._whose: dict[int, str] = {}

    def source(self, tensor: Tensor, name: str) -> Node:
        """Record a tensor that comes from outside."""
        node = self._new(name, tensor)
        self._put(tensor, node)
        return node

    def find(self, tensor: Any) -> Node | None:
        """Return the node whose value this tensor is now, or None."""
        if not isinstance(tensor, Tensor):
            return None
        return self._node_of.get(id(tensor)) or self._twin(tensor)

    def living(self) -> dict[Node, Tensor]:
        """Return the tensors themselves, with their gradients, of all that still hold.

        What was written over since is another node's.
        """
        known = ((self._node_of.get(id(tensor)), tensor) for tensor in self._kept)
        return {node: tensor for node, tensor in known if node is not None}

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation and record it."""
        if name in UNRECORDED:
            return func(*args, **named)
        if _is_mapped():
            self.mapped.setdefault(self._places())
            return func(*args, **named)
        if name == "__get__":
            return self._attribute(func, args, named)
        in_place = writes(name)
        nodes = tuple(self._wrapped(a) for a in args)
        named_nodes = {key: self._wrapped(value) for key, value in named.items()}
        if in_place and args and isinstance(args[0], Tensor):
            self._snapshot(args[0])
        result = func(*args, **named)
        places = self._places()
        if name == "__iter__":
            return self._unrolled(result, nodes, places)
        terms = _terms_of(name, result)
        if terms:
            nodes = tuple(
                self._number(a, places) if index in terms and _is_number(a) else a
                for index, a in enumerate(nodes)
            )
        if in_place and args and isinstance(args[0], Tensor):
            target = args[0]
            node = self._new(
                name, target.detach().clone(), func, nodes, named_nodes, places
            )
            node.in_place = True
            self._spread(target, node, places)
            return result
        self._record(result, name, func, nodes, named_nodes, places)
        return result

    # --- recording --------------------------------------------------------------

    def _record(
        self,
        result: Any,
        name: str,
        func: Operation,
        args: Args,
        kwargs: Named,
        places: tuple[Place, ...],
    ) -> None:
        if name in FACTORIES:
            parts = result if isinstance(result, (tuple, list)) else (result,)
            for part in parts:
                if isinstance(part, Tensor):
                    self._put(
                        part, self._new(name, part.detach().clone(), places=places)
                    )
        elif isinstance(result, Tensor):
            node = self._new(name, result.detach(), func, args, kwargs, places)
            self._put(result, node)
        elif isinstance(result, (tuple, list)):
            for index, part in enumerate(result):
                if isinstance(part, Tensor):
                    node = self._new(name, part.detach(), func, args, kwargs, places)
                    node.part = index
                    self._put(part, node)

    def _attribute(self, func: Operation, args: Args, kwargs: Named) -> Any:
        result = func(*args, **kwargs)
        name = getattr(getattr(func, "__self__", None), "__name__", "?")
        if (
            isinstance(result, Tensor)
            and isinstance(args[0], Tensor)
            and name not in _SOURCE_FREE
        ):
            places = self._places()
            node = self._new(
                name, result.detach(), func, (self._node(args[0]),), {}, places
            )
            self._put(result, node)
        return result

    def _unrolled(self, result: Any, args: Args, places: tuple[Place, ...]) -> Any:
        items = list(result)
        for index, item in enumerate(items):
            getter = torch.Tensor.__getitem__
            node = self._new(
                "__getitem__", item.detach(), getter, (args[0], index), {}, places
            )
            self._put(item, node)
        return iter(items)

    def _number(self, value: Any, places: tuple[Place, ...]) -> Node:
        number = torch.tensor(float(value), dtype=torch.float64)
        return self._new("number", number, places=places)

    def _new(
        self,
        name: str,
        value: Tensor,
        function: Operation | None = None,
        args: Args = (),
        kwargs: Named | None = None,
        places: tuple[Place, ...] = (),
    ) -> Node:
        node = Node(
            name=name,
            value=value.detach(),
            index=len(self.nodes),
            function=function,
            args=args,
            kwargs=kwargs or {},
            places=places,
        )
        self.nodes.append(node)
        return node

    # --- which node a tensor is -------------------------------------------------

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._node(value)
        if type(value) in (list, tuple):
            return type(value)(self._wrapped(item) for item in value)
        return value

    def _node(self, tensor: Tensor) -> Node:
        node = self.find(tensor)
        if node is None:
            node = self._new("source", tensor.detach().clone())
            node.learnable = tensor.requires_grad
            node.random = id(tensor) in self._draws
        if id(tensor) not in self._node_of:
            self._put(tensor, node)
        return node

    def _put(self, tensor: Tensor, node: Node) -> None:
        self._node_of[id(tensor)] = node
        self._kept.append(tensor)
        pointer = _pointer(tensor)
        if pointer:
            self._by_storage.setdefault(pointer, []).append(tensor)

    def _twin(self, tensor: Tensor) -> Node | None:
        """Return the node of another tensor object over the very same memory."""
        for other in reversed(self._by_storage.get(_pointer(tensor), [])):
            if _geometry(other) == _geometry(tensor) and id(other) in self._node_of:
                return self._node_of[id(other)]
        return None

    def _snapshot(self, target: Tensor) -> None:
        """Keep what an in-place write is about to destroy."""
        pointer = _pointer(target)
        for node in self.nodes:
            if pointer and _pointer(node.value) == pointer:
                node.value = node.value.clone()

    def _spread(self, target: Tensor, node: Node, places: tuple[Place, ...]) -> None:
        """Record what an in-place write did to every tensor over the same memory."""
        sharing = {id(t): t for t in self._by_storage.get(_pointer(target), [])}
        self._put(target, node)
        others = [t for t in sharing.values() if t is not target]
        for other in others:
            if _geometry(other) == _geometry(target):
                self._node_of[id(other)] = node
        rest = [t for t in others if _geometry(t) != _geometry(target)]
        if not rest:
            return
        whole = [t for t in (*rest, target) if not _is_spread_out(t)]
        base = max(whole, key=lambda t: t.numel())
        base_node = node
        if base is not target:
            index = _positions(target, base)

            def scattered(whole: Tensor, part: Tensor) -> Tensor:
                flat = whole.reshape(-1).index_put(
                    (index.reshape(-1),), part.reshape(-1)
                )
                return flat.reshape(whole.shape)

            old = self._node_of[id(base)]
            base_node = self._new(
                "scatter", base.detach().clone(), scattered, (old, node), {}, places
            )
            self._node_of[id(base)] = base_node
        if not base.is_contiguous() or base.storage_offset() != 0:
            return
        for view in rest:
            if view is not base:
                self._node_of[id(view)] = self._new(
                    "as_strided",
                    view.detach().clone(),
                    _restrided(view),
                    (base_node,),
                    {},
                    places,
                )

    # --- where ------------------------------------------------------------------

    def _places(self) -> tuple[Place, ...]:
        """Return the user's frames, innermost first, up to where we called the layer."""
        places: list[Place] = []
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            whose = self._whose.get(id(code)) or self._note(code)
            if whose == "caller" or (places and whose == "ours"):
                break
            if whose == "user's":
                places.append(self._place(frame))
            frame = frame.f_back
        return tuple(places)

    def place_above(self, frame: FrameType) -> Place | None:
        """Return where the user's code stands that made this frame, or None."""
        return next(self._places_above(frame), None)

    def own_place_above(self, frame: FrameType) -> Place | None:
        """Return the same of the target's own sources, where some of them did."""
        above = tuple(self._places_above(frame))
        return above[nearest_own(tuple(p.file for p in above))] if above else None

    def _places_above(self, frame: FrameType) -> Iterator[Place]:
        above = frame.f_back
        while above is not None and not is_ours(above.f_code.co_filename):
            if is_users(above.f_code.co_filename):
                yield self._place(above)
            above = above.f_back

    def _note(self, code: CodeType) -> str:
        """Return whose code it is, and know it from now on."""
        file = code.co_filename
        whose = "user's" if is_users(file) else "torch's"
        if is_ours(file):
            whose = "caller" if calls_layers(file) else "ours"
        self._codes.append(code)
        self._whose[id(code)] = whose
        return whose

    def _place(self, frame: FrameType) -> Place:
        """Return where a frame stands; an outer one stands there for many operations."""
        at = id(frame), frame.f_lasti
        place = self._known.get(at)
        if place is None:
            place = self._known[at] = place_of(frame, self.call_of(frame))
        return place

    def call_of(self, frame: FrameType) -> int:
        """Return the number of a function's execution, the same in all of its places."""
        if id(frame) not in self._calls:
            self._calls[id(frame)] = len(self._calls)
            self._frames.append(frame)
        return self._calls[id(frame)]

    def forget(self) -> None:
        """Let go of the user's frames and tensors; the nodes stay."""
        self._frames.clear()
        self._codes.clear()
        self._known.clear()
        self._whose.clear()
        self._kept.clear()
        self._by_storage.clear()


def _terms_of(name: str, result: Any) -> tuple[int, ...]:
    """Return the arguments that are terms where they are mere numbers."""
    if name in _SUMS:
        return 0, 1
    is_choice = name == "where" and isinstance(result, Tensor)
    return (1, 2) if is_choice and result.is_floating_point() else ()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or type(value).__module__ == "numpy"


def _pointer(tensor: Any) -> int:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (AttributeError, RuntimeError, NotImplementedError):
        return 0


def _geometry(tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


def _is_spread_out(tensor: Tensor) -> bool:
    """Return whether several entries are one place in memory, as after `expand`."""
    return any(
        size > 1 and not stride
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    )


def _restrided(view: Tensor) -> Callable[[Tensor], Tensor]:
    index = torch.arange(view.untyped_storage().nbytes() // view.element_size())
    index = index.as_strided(*_geometry(view))
    return lambda base: base.reshape(-1)[index]


def _positions(part: Tensor, whole: Tensor) -> Tensor:
    """Return where in `whole`, flattened, each entry of a view of the same memory stands.

    Index arithmetic: the derivative of `as_strided_scatter` leaves the overwritten in.
    """
    memory = torch.zeros(
        whole.untyped_storage().nbytes() // whole.element_size(), dtype=torch.long
    )
    memory.as_strided(*_geometry(whole)).copy_(
        torch.arange(whole.numel()).reshape(whole.shape)
    )
    return memory.as_strided(*_geometry(part)).clone()
