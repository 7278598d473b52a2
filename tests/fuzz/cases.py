"""Cases, each drawn from a seed and its number alone, and nothing else."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from . import layers
from .layers import ACTS, Source

FACES = ("command", "python")

NAMES = ("flow", "flow", "flow", "flöw", "поток", "流", "my flow", "x[1]", "a.b", "torch",
    "test_flow", "-f", "class", "__init__", "a:b", "2nd")  # fmt: skip
FOLDERS = ("", "", "", "sub", "ünï", "with space", "a.b", "deep/er", "[x]")
DAMAGES = ("none",) * 10 + ("bom", "latin-1", "latin-1 unsaid", "carriage returns", "null",
    "cut", "empty", "tabs", "nonsense", "only comments", "endless import", "import fails",
    "exits", "many", "binary")  # fmt: skip
FORMS = ("file", "file", "file", "package", "folder", "notebook", "notebook of magics",
    "broken notebook", "empty folder", "absent")  # fmt: skip
SPELLINGS = ("{path}:{expr}",) * 8 + ("~no-such-user/{path}:{expr}", "{path}",
    "{path}::{expr}", "{path} {expr}",
    "{module}:{expr}", "{module}.{expr}", "{path}:", ":{expr}", "./{path}:{expr}", "{folder}",
    "{folder}/*", "{path}:{expr}:{expr}", "")  # fmt: skip
EXPRESSIONS = ("Layer",) * 8 + ("Layer()",) * 8 + ("make()", "make", "LAYERS[0]",
    "Layer().forward", "Layer().step", "Layer.forward", "lambda x: (2 * x, 0 * x)", "torch",
    "nn.Linear(3, 3)", "nn.Sequential(Layer(), Layer())", "None", "1 / 0", ")(", "Layer(",
    "exit()", "print('x') or Layer()", "Läyer", "Absent", "Layer().absent.deeper",
    "Layer(dims=3)", "Layer()(torch.ones(3, 4))", "Layer().double()", "Layer().half()",
    "Layer().to('meta')", "[Layer(), Layer()]", "{'a': Layer()}", "x := Layer()",
    "torch.distributions.TransformedDistribution(torch.distributions.Normal(0, 1), "
    "[torch.distributions.ExpTransform()])", "(Layer() for _ in 'ab')", "...", "''",
    "torch.jit.script(Layer())", "[" * 150 + "]" * 150, "(yield)", "await x", "os.abort()",
    "quit", "Layer().named_parameters", "Tensor", "Pair", "Output", "'Layer'")  # fmt: skip

Typed = tuple[tuple[str, ...], ...]
OPTIONS: dict[str, Typed] = {  # on the command line: what can be said, and what cannot
    "--shape": (("4",), ("3",), ("2,2,2",), ("1,4,4",), ("4,2,2",), ("()",), ("1",),
        ("64,64,3",),
        ("x=3",), ("z=4",), ("nobody=3",), ("0",), ("-1",), ("a",), ("",), ("99999999999",),
        ("3,3,3,3,3,3,3",), ("1e3",)),
    "--batch": (("1",), ("2",), ("5",), ("17",), ("0",), ("-3",), ("x",)),
    "--domain": (("unit",), ("positive",), ("real",), ("int:0:255",), ("interval:-1:1",),
        ("interval:1:1",), ("int:3:1",), ("interval:-inf:inf",), ("int:0:1e30",), ("nan",)),
    "--context": (("context=5",), ("t=()",), ("t=4:positive",), ("c=():int:0:9",), ("x=3",),
        ("=",), ("t",), ("ünï=3",)),
    "--kwarg": (("scale=2",), ("c=None",), ("jac=False",), ("x=1/0",), ("a=exit()",),
        ("b=)(",), ("=1",), ("kw=Layer()",)),
    "--inputs": (("x.pt",), ("x.npy",), ("absent.pt",), ("flow.py",), ("x.npz",), ("bad.pt",)),
    "--weights": (("w.pt",), ("absent.pt",), ("x.npy",), ("bad.pt",)),
    "--convention": (("pair",), ("accumulator",), ("transform",), ("freia",), ("mode",),
        ("two-methods",), ("f(z, ldj, reverse) -> z, ldj",), ("f(x) -> y",),
        ("f(x, *, t) -> {z}, ldj",), ("f(",), ("nope",), ("",)),
    "--direction": (("forward",), ("inverse",), ("both",), ("up",)),
    "--params": (("as-is",), ("random",), ("none",)),
    "--params-scale": (("1e-9",), ("5",), ("1e300",), ("0",), ("nan",), ("-1",)),
    "--kind": (("bijection",), ("dequantization",), ("split",), ("flow",), ("model",), ("x",)),
    "--search": (("3",), ("0",), ("-1",)),
    "--dims-limit": (("1",), ("2",), ("100000",), ("0",)),
    "--mode": (("train",), ("eval",)),
    "--device": (("cpu",), ("cuda",), ("meta",), ("mps",), ("nope",)),
    "--wrt": (("noise",), ("input",), ("x",)),
    "--seed": (("0",), ("1",), ("9223372036854775807",), ("-1",), ("1e99",)),
    "--dtype": (("as-written",), ("float64",), ("int8",)),
    "--atol": (("0",), ("1e300",), ("inf",), ("-1",)),
    "--rtol": (("0",), ("1",), ("nan",)),
    "--select": (("LDJ1",), ("LDJ205",), ("sign-flipped",), ("LDJ999",), ("",)),
    "--ignore": (("LDJ1",), ("LDJ0",), ("sign-flipped",), ("LDJ",), ("nothing",)),
    "--strict": ((),),
    "--fix": ((),),
    "--diff": ((),),
    "--statistics": ((),),
    "-q": ((),),
    "-v": ((),),
    "-j": (("1",), ("2",), ("0",)),
    "--color": (("always",), ("never",), ("auto",)),
    "--plot": (("plot.svg",), ("plot.txt",), ("absent/plot.png",)),
    "--nonsense": ((), ("3",)),
}  # fmt: skip
FORMATS = ("json", "json", "json", "json", "text", "concise", "html", "github", "sarif",
    "junit", "json=out.json", "sarif=out.sarif", "html=out.html", "junit=out.xml",
    "json=absent/out.json", "json=.", "yaml")  # fmt: skip
SETTINGS: dict[str, tuple[Any, ...]] = {  # of a project: what can stand there, or not
    "shape": ([4], [2, 2, 2], "3", {"x": [3]}, [0], [], [-1], "a", True, 1.5, [[3]]),
    "batch": (2, 5, 0, "x", 2.0, True),
    "domain": ("unit", "real", "nowhere", 3, ""),
    "context": ({"context": [5]}, {"t": "4:positive"}, ["t=4"], {"t": None or []}, 7, "t"),
    "kwarg": ({"scale": 2}, {"scale": "2"}, {"a": "exit()"}, ["a=1"], 5, ""),
    "convention": ("pair", "f(x) -> y, ldj", "nope", 3, ""),
    "direction": ("forward", "up", []),
    "seed": (1, -1, 2**70, "1"),
    "timeout": (2, 0, "x", -1.5),
    "params-scale": (0.1, "0.1", 0),
    "ignore": ({"LDJ1": "said so"}, {"LDJ205": ""}, ["LDJ1"], {"nothing": "x"}, {"LDJ1": 3}),
    "select": (["LDJ1"], "LDJ2", ["x"], [3], 3),
    "strict": (True, "yes", 1),
    "format": (["json"], "text", ["nope"], 3),
    "jobs": (1, 0, "x"),
    "kind": ("flow", "x"),
    "per-target-ignore": ({"*": ["LDJ1"]}, {"*": {"LDJ1": "why"}}, {"[": "LDJ1"}, 3),
    "nonsense": (1,),
    "fix": (True, False),
    "color": ("never", "purple"),
    "inputs": ("x.pt", "absent.pt", 3),
    "tolerance": (1,),
    "atol": (1e-3, "1e-3", -1),
}  # fmt: skip
TABLES = ("",) * 10 + ("[tool.ldjcheck", "[tool]\nldjcheck = 3\n", "tool = 3\n",
    "[tool.ldjcheck]\nshape = [4]\nshape = [3]\n", "\xff")  # fmt: skip

SUBJECTS = ("instance",) * 8 + ("class", "function", "method", "text", "sequential", "none",
    "number", "list", "module", "tensor", "half", "jit", "partial", "lambda", "double",
    "distribution", "meta", "trained", "shared", "frozen")  # fmt: skip
KEYWORDS: dict[str, tuple[str, ...]] = {  # of Python, as they are written
    "shape": ("4", "3", "(2, 2, 2)", "(4, 2, 2)", "()", "{'x': 3}", "{'nobody': 3}", "0", "-1",
        "'4'", "(3.0,)", "[]", "10**12", "torch.Size([4])", "np.int64(4)", "object()"),
    "batch": ("1", "2", "6", "0", "True", "2.0", "None"),
    "domain": ("'unit'", "'positive'", "'int:0:255'", "'interval:-1:1'", "'x'", "3",
        "torch.distributions.constraints.unit_interval",
        "torch.distributions.constraints.simplex"),
    "context": ("{'context': 5}", "{'t': ()}", "{'t': '4:positive'}", "{'t': None}",
        "{1: 2}", "5"),
    "inputs": ("torch.randn(5, 4)", "torch.rand(2, 3).half()", "torch.zeros(3, 4)",
        "torch.arange(6).view(2, 3)", "{'x': torch.ones(3, 4)}", "torch.randn(0, 4)",
        "torch.full((2, 4), float('nan'))", "torch.full((3, 4), float('inf'))",
        "np.ones((3, 4))", "torch.tensor(1.0)", "{}", "[1, 2]", "'absent.pt'",
        "torch.ones(2, 4, dtype=torch.complex64)", "torch.ones(2, 4) > 0",
        "torch.randn(4, 3).to_sparse()", "torch.randn(4, 3, requires_grad=True) * 2",
        "torch.randn(3, 4).bfloat16()", "torch.randn(1, 4).expand(3, 4)"),
    "weights": ("{}", "{'a': 1}", "'absent.pt'", "{'a': torch.tensor(0.5)}", "3"),
    "kwarg": ("{'scale': 2}", "{'c': None}", "{'context': torch.ones(3)}", "{1: 2}", "3"),
    "convention": ("'pair'", "'accumulator'", "'f(z, ldj, reverse) -> z, ldj'", "'f('", "3",
        "'transform'", "'density'", "''", "'f(x) -> {y}'"),
    "direction": ("'forward'", "'inverse'", "'up'", "None"),
    "params": ("'as-is'", "'x'"),
    "params_scale": ("1e-9", "10.0", "1e300", "0", "float('nan')", "'1'"),
    "dims_limit": ("1", "2", "0"),
    "mode": ("'train'", "'x'"),
    "kind": ("'flow'", "'model'", "'split'", "'dequantization'", "'bijection'", "'x'", "[]"),
    "wrt": ("'noise'", "'input'", "{}"),
    "seed": ("1", "2**63 - 1", "2**80", "-1", "'1'"),
    "search": ("3", "-1"),
    "dtype": ("'as-written'", "torch.float32"),
    "device": ("'cpu'", "'cuda'", "'meta'", "'nope'", "torch.device('cpu')", "3"),
    "atol": ("0", "1e300", "float('inf')", "'x'", "np.float32(1e-3)", "torch.tensor(1e-3)"),
    "rtol": ("0", "1.0", "[]"),
    "select": ("'LDJ1'", "['LDJ205']", "['nope']", "3", "[3]", "None"),
    "ignore": ("['LDJ1']", "{'LDJ1': 'so'}", "{'LDJ1': ''}", "'sign-flipped'", "5", "{3: 'x'}"),
    "strict": ("True", "1"),
    "ledger": ("True",),
    "pictures": ("False", "0"),
    "jacobian": ("lambda f, x: torch.eye(x.shape[1]).expand(len(x), -1, -1)",
        "lambda f, x: None",
        "3", "lambda: 0", "lambda f, x: 1 / 0", "lambda f, x: f(x)"),
    "adapter": ("(lambda l, x: l(x), None)", "3", "(lambda l, x: None,) * 2", "object()",
        "(lambda l, x: 1 / 0,) * 2", "()"),
}  # fmt: skip
VERBS = ("check",) * 10 + ("derive", "assert_ldj", "exact_ldj")
COMMANDS = ((),) * 16 + (("check",), ("derive",), ("derive",), ("report-bug",))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is checked, and how; everything about it is told by its fields."""

    seed: int
    number: int
    face: str
    source: Source
    # of the command
    where: tuple[str, str] = ("flow", "")  # the name of the file, and its folder
    form: str = "file"
    damage: str = "none"
    spelling: str = "{path}:{expr}"
    expression: str = "Layer"
    # a command, options of it
    typed: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    more: tuple[str, ...] = ("--format", "json")
    settings: str | None = None
    is_read_only: bool = False
    limit: float = 3.0
    # of Python
    subject: str = "instance"
    verb: str = "check"
    keywords: tuple[tuple[str, str], ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command, where one is named."""
        return self.typed[0]

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options as they are typed."""
        more = self.more if "--format" in _taken_by(*self.command) else ()
        return (*self.typed[1], *more)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what is counted of it, the table's rows."""
        source = self.source
        kinds = [f"{self.face}: all"]
        if self.face == "command":
            kinds.append(f"command: {self.form}")
            if self.settings is not None:
                kinds.append("command: with settings")
            if self.damage != "none":
                kinds.append("command: damaged source")
            if self.is_read_only:
                kinds.append("command: read-only folder")
            if any(ord(letter) > 127 for letter in "".join(self.where)):
                kinds.append("command: non-ASCII path")
            if self.command:
                kinds.append(f"command: {self.command[0]}")
        else:
            kinds.append(f"python: {self.verb}")
            kinds += [
                "python: " + ("an instance" if self.subject == "instance" else "other")
            ]
        act = ACTS[source.act]
        for name, holds in {
            "strange output": source.returns,
            "act that ends or hangs": act.ends,
            "act that touches the process": act.touches and not act.ends,
            "other act": source.act != "nothing" and not act.ends and not act.touches,
            "oddity": source.oddity != "none",
            "half, bfloat16, complex": source.dtype not in ("", "float64"),
            "options": self.typed[1] or self.keywords,
        }.items():
            if holds:
                kinds.append(f"layer: {name}" if name != "options" else "with options")
        return tuple(kinds)

    def told(self) -> str:
        """Return what is not as usual, on one line."""
        usual = Case(seed=0, number=0, face="", source=Source())
        parts = [f"{k}={v!r}" for k, v in self.source._asdict().items()
            if v != getattr(usual.source, k)]  # fmt: skip
        parts += [f"{k}={getattr(self, k)!r}" for k in self.__dataclass_fields__
            if k not in ("seed", "number", "face", "source")
            and getattr(self, k) != getattr(usual, k)]  # fmt: skip
        return f"{self.face}: " + ", ".join(parts)

    @property
    def repeat(self) -> str:
        """Return what to type to run it again."""
        return (
            f"python -m tests.fuzz --seed {self.seed} --first {self.number} --cases 1"
        )


def draw(seed: int, number: int, *, may_hang: bool = True) -> Case:
    """Return the case of a seed and a number; hanging ones are replaced where asked.

    A few things about it are strange, and the others as usual: where all are strange, the
    first that is refused hides the rest.
    """
    rng = random.Random(f"{seed}/{number}")
    face = rng.choice(FACES)
    own = _of_command(rng) if face == "command" else _of_python(rng)
    strange = {**_source(rng, ends=face == "command"), **own}
    names = rng.sample(tuple(strange), rng.choice((1, 2, 2, 3, 3, 4, len(strange))))
    drawn = {name: value for name, value in strange.items() if name in names}
    of_source = {name: drawn.pop(name) for name in Source._fields if name in drawn}
    source = Source(**of_source)
    if not may_hang and source.act in ("hangs", "sleeps", "starts a deaf thread"):
        source = source._replace(act="naps")
    if not may_hang and drawn.get("damage") == "endless import":
        drawn.pop("damage")
    return Case(seed=seed, number=number, face=face, source=source, **drawn)


def _source(rng: random.Random, *, ends: bool) -> dict[str, str]:
    acts = [name for name, act in ACTS.items() if ends or not act.ends]
    return {
        "map": rng.choice(tuple(layers.MAPS)),
        "convention": rng.choice(tuple(layers.CONVENTIONS)),
        "returns": rng.choice(layers.RETURNS),
        "act": rng.choice(acts),
        "when": rng.choice(layers.WHENS),
        "oddity": rng.choice(tuple(layers.ODDITIES)),
        "base": rng.choice(layers.BASES),
        "parameters": rng.choice(layers.PARAMETERS),
        "decorator": rng.choice(layers.DECORATORS),
        "dtype": rng.choice(tuple(layers.DTYPES)),
    }


def _of_command(rng: random.Random) -> dict[str, Any]:
    command = rng.choice(COMMANDS)
    options: list[str] = []
    taken = [name for name in OPTIONS if name in _taken_by(*command)]
    for name in rng.sample(taken, rng.choice((1, 1, 2, 3, 5))):
        options += [name, *rng.choice(_likely(rng, OPTIONS[name]))]
    if rng.random() < 0.75 and "--format" in _taken_by(*command):
        options += ["--format", rng.choice(FORMATS)]
    if "--fix" in options and rng.random() < 0.5:
        options.append("--diff")
    table = {
        key: rng.choice(_likely(rng, SETTINGS[key]))
        for key in rng.sample(tuple(SETTINGS), rng.choice((1, 1, 2, 3)))
    }
    settings = "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
    return {
        "where": (rng.choice(NAMES), rng.choice(FOLDERS)),
        "form": rng.choice(FORMS),
        "damage": rng.choice(DAMAGES),
        "spelling": rng.choice(SPELLINGS),
        "expression": rng.choice(EXPRESSIONS),
        "typed": (command, tuple(options)),
        "more": ("--format", rng.choice(FORMATS)),
        "settings": rng.choice(TABLES) or f"[tool.ldjcheck]\n{settings}",
        "is_read_only": True,
    }


def _likely(rng: random.Random, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values, or those of them that mostly can be: the first half."""
    return values[: max(1, len(values) // 2)] if rng.random() < 0.7 else values


@cache
def _taken_by(command: str = "check") -> frozenset[str]:
    """Return the options that a command takes, and one that none does."""
    from ldjcheck.cli import main

    params = main.commands[command].params
    return frozenset(opt for each in params for opt in each.opts) | {"--nonsense"}


def _of_python(rng: random.Random) -> dict[str, Any]:
    names = rng.sample(tuple(KEYWORDS), rng.choice((1, 1, 2, 3, 5)))
    return {
        "subject": rng.choice(SUBJECTS),
        "verb": rng.choice(VERBS),
        "keywords": tuple(
            (name, rng.choice(_likely(rng, KEYWORDS[name]))) for name in names
        ),
    }


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


# --- on the disk ---------------------------------------------------------------------


def lay_out(case: Case, root: Path) -> tuple[str, ...]:
    """Write the files of a case of the command, and return the target as it is typed."""
    name, below = case.where
    folder = root / below
    folder.mkdir(parents=True, exist_ok=True)
    text = case.source.text()
    path = folder / f"{name}.py"
    if case.form in ("file", "folder"):
        path.write_bytes(damaged(text, case.damage))
        if case.form == "folder":
            (folder / "other.py").write_text(
                "from " + name + " import Layer as Other\n"
            )
    elif case.form == "package":
        path = folder / name / "flow.py"
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").write_text(
            "from .flow import *\nfrom . import flow\n"
        )
        path.write_bytes(damaged(text, case.damage))
    elif "notebook" in case.form:
        path = folder / f"{name}.ipynb"
        path.write_bytes(damaged(notebook(text, case.form), case.damage))
    import numpy as np
    import torch

    torch.save(torch.randn(3, 4), root / "x.pt")
    np.save(root / "x.npy", np.ones((3, 4)))
    np.savez(root / "x.npz", x=np.ones((3, 4)))
    torch.save({"a": torch.tensor(0.5)}, root / "w.pt")
    (root / "bad.pt").write_bytes(b"PK\x03\x04 no archive")
    if case.settings is not None:
        (root / "pyproject.toml").write_text(case.settings, encoding="latin-1")
    module = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
    typed = case.spelling.format(
        path=path.relative_to(root).as_posix(),
        module=module,
        folder=below or ".",
        expr=case.expression,
    )
    return tuple(typed.split(" ", 1)) if "} {" in case.spelling else (typed,)


def damaged(text: str, how: str) -> bytes:
    """Return the bytes of a source after an accident."""
    lines = text.replace("0.3", "0.30  # größer")
    whole = text.encode()
    return {
        "bom": lambda: b"\xef\xbb\xbf" + whole,
        "latin-1": lambda: b"# -*- coding: latin-1 -*-\n" + lines.encode("latin-1"),
        "latin-1 unsaid": lambda: lines.encode("latin-1"),
        "carriage returns": lambda: whole.replace(b"\n", b"\r"),
        "null": lambda: whole[:200] + b"\0" + whole[200:],
        "cut": lambda: whole[: len(whole) // 2],
        "empty": lambda: b"",
        "tabs": lambda: whole.replace(b"        ", b"\t", 30),
        "nonsense": lambda: b")(" * 400,
        "only comments": lambda: b"# nothing\n" * 50,
        "endless import": lambda: b"while True: pass\n" + whole,
        "import fails": lambda: b"import no_such_module_anywhere\n" + whole,
        "exits": lambda: whole + b"\nsys.exit(3)\n",
        "many": lambda: whole + b"\nclass More(Layer): pass\nclass Most(More): pass\n",
        "binary": lambda: bytes(range(256)) * 20,
    }.get(how, lambda: whole)()


def notebook(text: str, form: str) -> str:
    """Return a notebook with the source in its cells."""
    if form == "broken notebook":
        return (
            '{"cells": [{"cell_type": "code", "source": 3}, null, {}], "nbformat": 2}'
        )
    parts = text.split("\n\n\n")
    if form == "notebook of magics":
        parts = ["%matplotlib inline\n!ls", "%%bash\nexit 1", "%load_ext ldjcheck", *parts,
            "Layer?", "%timeit Layer()", "plt.plot([1, 2])",
            "for i in range(10**9): pass"]  # fmt: skip
    cells = [
        {"cell_type": "code", "source": part.splitlines(keepends=True), "metadata": {},
         "outputs": [], "execution_count": None}
        for part in parts
    ]  # fmt: skip
    cells.insert(1, {"cell_type": "markdown", "source": ["# Größe"], "metadata": {}})
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )
