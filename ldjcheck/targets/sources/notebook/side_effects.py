"""What running a piece of a notebook does beside binding names.

It may change objects that exist already, or do what a check must never do: train,
download, run a shell command, draw, wait for the user. Functions and classes of the
notebook are followed into their bodies.
"""

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from ldjcheck.targets.sources.notebook.document import MAGIC_CALL, names_in

_CHANGING_METHODS = frozenset(
    name
    for kind, harmless in (
        (list, {"copy", "count", "index"}),
        (dict, {"copy", "fromkeys", "get", "items", "keys", "values"}),
        (set, {"copy", "difference", "intersection", "isdisjoint", "issubset",
               "issuperset", "symmetric_difference", "union"}),
    )
    for name in set(dir(kind)) - harmless
    if not name.startswith("_")
) | {"appendleft", "extendleft", "popleft", "move_to_end", "add_module", "double",
     "eval", "float", "half", "register_buffer", "register_module",
     "register_parameter"}  # fmt: skip
"""Methods of Python's containers and torch's modules that change their object."""

_ADDING = (
    "add", "freeze", "insert", "merge", "push", "put", "register", "set", "update",
)  # fmt: skip
"""With what verb others call methods that change their object, `add_argument` say."""

_HARMLESS = {"torch", "builtins", *sys.stdlib_module_names}
"""Modules whose decorators change nothing but the function that they are given."""

_DOWNLOADS = ("cached_download", "from_pretrained", "hf_hub_download", "load_dataset",
              "load_state_dict_from_url", "snapshot_download", "urlopen",
              "urlretrieve", "wget")  # fmt: skip
_DOWNLOADERS = ("gdown", "requests", "torch.hub", "urllib.request", "wget")
_SHELL = ("os.system", "os.popen", "subprocess")
_FIGURES = ("matplotlib", "seaborn", "plotly", "bokeh", "altair")
_QUESTIONS = ("breakpoint", "getpass", "input")


@dataclass(slots=True)
class Deeds:
    """What running some code does. Changed names are the roots of what is changed."""

    changes: set[str] = field(default_factory=set)
    may_change: set[str] = field(default_factory=set)  # as far as code unseen goes
    binds: set[str] = field(default_factory=set)  # `global x` in a function
    hazard: str | None = None  # "trains", "downloads": why it is not run


@dataclass(slots=True)
class _Function:
    """A function of the notebook, and what calling it does."""

    parameters: tuple[str, ...]
    body: list[ast.stmt]
    locals: frozenset[str]
    is_method: bool
    deeds: Deeds | None = None


class Doings:
    """Knows what the statements of one notebook do."""

    def __init__(self, statements: Iterable[ast.stmt]) -> None:
        nodes = list(statements)
        self._modules = dict(_imported(nodes))
        self._functions: dict[str, list[_Function]] = {}
        for node in nodes:
            self._learn(node, None)

    def of(self, node: ast.stmt) -> Deeds:
        """Return what running the statement does; functions in it are not called."""
        deeds = Deeds()
        for part in run_now([node]):
            self._note(part, deeds)
        if isinstance(node, ast.ClassDef):  # a base may keep a register
            for base in node.bases:
                hook = f"{ast.unparse(base)}.__init_subclass__"
                self._follow(hook, [], deeds)
        deeds.changes -= self._modules.keys() - _stored_roots([node])
        deeds.may_change -= self._modules.keys() | deeds.changes
        return deeds

    def of_call(self, name: str) -> Deeds:
        """Return what calling a function of the notebook does."""
        deeds = Deeds()
        self._follow(name, [], deeds)
        return deeds

    def changes_path(self, node: ast.stmt) -> bool:
        """Return whether the statement changes where modules are imported from."""
        return any(
            isinstance(part, ast.Attribute) and self._full_name(part) == "sys.path"
            for part in run_now([node])
        )

    def _learn(self, node: ast.AST, owner: str | None) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = _function(node, is_method=owner is not None)
            names = [node.name]
            if owner is not None:
                # Called as a method of something, or through its class.
                names = [f".{node.name}", f"{owner}.{node.name}"]
                if node.name in ("__init__", "__post_init__", "__new__"):
                    names.append(owner)
            for name in names:
                self._functions.setdefault(name, []).append(function)
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                self._learn(statement, node.name)
        elif isinstance(node, (ast.If, ast.For, ast.With, ast.Try, ast.While)):
            for inner in ast.iter_child_nodes(node):
                self._learn(inner, owner)

    def _note(self, node: ast.AST, deeds: Deeds) -> None:
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            if not isinstance(node.ctx, ast.Load) and (root := _root(node)):
                deeds.changes.add(root)
        elif isinstance(node, ast.Call):
            self._note_call(node, deeds)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            # The way back of a layer may be called `backward` too, but gives a value.
            if getattr(node.value.func, "attr", None) == "backward":
                deeds.hazard = deeds.hazard or "trains"
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            for decorator in node.decorator_list:
                made = getattr(decorator, "func", decorator)
                if isinstance(made, ast.Attribute) and (root := _root(made)):
                    deeds.changes.add(root)  # `@register.add`: it may keep what it gets
                if not isinstance(decorator, ast.Call):
                    self._follow(_dotted(decorator) or "", [], deeds)
                if isinstance(node, ast.FunctionDef):
                    self._note_decorated(node, decorator, deeds)

    def _note_decorated(
        self, node: ast.FunctionDef, decorator: ast.expr, deeds: Deeds
    ) -> None:
        """Note the classes that a decorator may give the function to.

        Those that it is called with, and the one that `self` is said to be.
        """
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = self._full_name(made)
        if name in dir(builtins) or name.partition(".")[0] in _HARMLESS:
            return
        given = decorator.args if isinstance(decorator, ast.Call) else []
        named = [argument.annotation for argument in node.args.args[:1]]
        for part in (*given, *filter(None, named)):
            deeds.may_change.update(names_in(part).reads)

    def _note_call(self, node: ast.Call, deeds: Deeds) -> None:
        deeds.hazard = deeds.hazard or self._hazard_of(node)
        function = node.func
        name, receiver = _dotted(function) or "", None
        last = function.attr if isinstance(function, ast.Attribute) else name
        if isinstance(function, ast.Attribute):
            receiver = _root(function.value)
        arguments = [_root(argument) for argument in node.args]
        if receiver in self._modules:
            receiver = None
        in_place = last.endswith("_") and not last.endswith("__")
        if last in ("setattr", "delattr") or in_place:
            deeds.changes.update(root for root in arguments[:1] if root)
        if receiver and (in_place or last in _CHANGING_METHODS):
            deeds.changes.add(receiver)
        elif receiver and _is_adding(last):
            deeds.may_change.add(receiver)
        # Which class a method belongs to is not known; its name must do.
        is_known = last in _CHANGING_METHODS or last.startswith("__")
        if isinstance(function, ast.Attribute) and not is_known:
            self._follow(f".{last}", [receiver, *arguments], deeds)
        self._follow(name, arguments, deeds)
        if isinstance(function, ast.Call):  # `register("name")(Layer)`
            self._follow(_dotted(function.func) or "", [], deeds)

    def _follow(self, name: str, arguments: list[str | None], deeds: Deeds) -> None:
        """Add what calling a function of the notebook does."""
        for function in self._functions.get(name, ()):
            inner = self._deeds_of(function)
            deeds.hazard = deeds.hazard or inner.hazard
            deeds.binds |= inner.binds
            given = arguments
            if function.is_method and not name.startswith("."):
                given = [None, *arguments]  # `self` is the new object
            passed = dict(zip(function.parameters, given, strict=False))
            for theirs, ours in (
                (inner.changes, deeds.changes),
                (inner.may_change, deeds.may_change),
            ):
                for changed in theirs:
                    if changed in passed:
                        ours.update(filter(None, [passed[changed]]))
                    elif changed not in function.locals:
                        ours.add(changed)

    def _deeds_of(self, function: _Function) -> Deeds:
        if function.deeds is None:
            function.deeds = Deeds()  # what a recursive call finds
            deeds = Deeds()
            for part in _all_of(function.body):
                self._note(part, deeds)
                if isinstance(part, ast.Global):
                    deeds.binds.update(part.names)
            function.deeds = deeds
        return function.deeds

    def _hazard_of(self, call: ast.Call) -> str | None:
        name = self._full_name(call.func)
        last = name.rpartition(".")[2] or getattr(call.func, "attr", "")
        if name == MAGIC_CALL or _is_in(name, _SHELL):
            return "runs a shell command"
        if (
            last in _DOWNLOADS
            or "download" in last.lower()
            or _is_in(name, _DOWNLOADERS)
            or last.startswith("fetch_")
            or any(
                keyword.arg in ("download", "pretrained")
                and (not isinstance(keyword.value, ast.Constant) or keyword.value.value)
                for keyword in call.keywords
            )
        ):
            return "downloads"
        if last == "fit" and isinstance(call.func, ast.Attribute):
            return "trains"
        if _is_in(name, _FIGURES) and last in ("figure", "show", "subplots", "gca"):
            return "draws"
        return "waits for the user" if name in _QUESTIONS else None

    def _full_name(self, node: ast.AST) -> str:
        """Return a dotted name with its first part as the module that it stands for."""
        first, dot, rest = (_dotted(node) or "").partition(".")
        return f"{self._modules.get(first, first)}{dot}{rest}"


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool
) -> _Function:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parameters = tuple(argument.arg for argument in every)
    inside = [*_all_of(node.body)]
    names = [part for part in inside if isinstance(part, ast.Name)]
    stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    shared = (part.names for part in inside if isinstance(part, ast.Global))
    is_global = set(chain.from_iterable(shared))
    extra = {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    return _Function(
        parameters=parameters,
        body=node.body,
        locals=frozenset((stored | extra | set(parameters)) - is_global),
        is_method=is_method,
    )


def _imported(nodes: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield names bound by imports, with what they stand for."""
    for node in _all_of(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, whole
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _all_of(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def run_now(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield all nodes but those in bodies of functions, which run when called."""
    for node in nodes:
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            made_now: list[ast.AST] = [*node.args.defaults]
            made_now += [each for each in node.args.kw_defaults if each is not None]
            made_now += getattr(node, "decorator_list", [])
            yield from run_now(made_now)
        else:
            yield from run_now(ast.iter_child_nodes(node))


def _stored_roots(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        root
        for node in run_now(nodes)
        if isinstance(node, (ast.Attribute, ast.Subscript))
        and not isinstance(node.ctx, ast.Load)
        and (root := _root(node))
    }


def aliases(nodes: Iterable[ast.stmt]) -> Iterator[set[str]]:
    """Yield names that stand for one object, or for an object and a part of it."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            names = {t.id for t in node.targets if isinstance(t, ast.Name)}
            if root := _root(node.value) or _root_of_added(node.value):
                names.add(root)
            if len(names) > 1:
                yield names


def _root_of_added(node: ast.expr) -> str | None:
    """Return what got a new part in `part = whole.add_part()`."""
    function = getattr(node, "func", None)
    if isinstance(function, ast.Attribute) and _is_adding(function.attr):
        return _root(function.value)
    return None


def _is_adding(method: str) -> bool:
    return method.partition("_")[0] in _ADDING


def _root(node: ast.AST) -> str | None:
    """Return the name at the beginning of `a.b[0].c`."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)):
        return f"{owner}.{node.attr}"
    return None


def _is_in(name: str, homes: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{home}.") for home in homes)
