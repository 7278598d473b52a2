"""What the tables hold: layers of public projects, and what is true of them.

A table is a TOML file with a list of projects. A project has its `address`, the `revision`
that was looked at, and its `layers`; a layer has

- `at`: file and expression, as they are typed behind `ldjcheck`, from the project's root;
- `shape`: the event shape of the independent check, and `domain`: "real", "unit" (0 to 1),
  "cube" (-1 to 1), "positive" or "bytes" (whole numbers to 255);
- `call` and `back`: how the independent check runs it, as Python in which `f` is the layer,
  `x` or `y` the input, `zero` a total of zeros and `one` a mask of ones. Both come to
  (output, ldj); `back` may be missing. Those of the project hold where a layer has none;
- `truth`: "right", the code of its mistake, or "open": not checkable, or not provable;
- `why`: one sentence;
- `flags`: what must be typed besides, if anything.

None of a project's code is here: the reader has clones.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Target:
    """One layer of a project, and what is true of it."""

    project: str  # owner/name
    revision: str
    kind: str
    root: str  # the folder on the import path, from the project's own
    at: str
    shape: tuple[int, ...]
    why: str
    call: str
    back: str = ""
    domain: str = "real"
    truth: str = "right"
    flags: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return self.at.partition(":")[0]

    @property
    def expression(self) -> str:
        return self.at.partition(":")[2]

    @property
    def is_wrong(self) -> bool:
        return self.truth.startswith("LDJ")

    def folder(self, checkouts: Path) -> Path:
        """Return the clone: `owner+name`, `owner/name` or `name`."""
        owner, name = self.project.split("/")
        places = [checkouts / f"{owner}+{name}", checkouts / owner / name]
        return next((p for p in places if p.is_dir()), checkouts / name)


def read(tables: Path = TABLES) -> list[Target]:
    """Return the layers of all tables, in the order of their files."""
    found = []
    for path in sorted(tables.glob("*.toml")):
        for project in tomllib.loads(path.read_text(encoding="utf-8"))["project"]:
            found += [*_layers(project, path.stem)]
    return found


def _layers(project: dict[str, Any], kind: str) -> list[Target]:
    return [
        Target(
            project=project["address"].removeprefix("https://github.com/"),
            revision=project["revision"],
            kind=kind,
            root=project.get("root", "."),
            at=layer["at"],
            shape=tuple(layer["shape"]),
            why=layer.get("why", ""),
            call=layer.get("call", project.get("call", "f(x)")),
            back=layer.get("back", project.get("back", "")),
            domain=layer.get("domain", "real"),
            truth=layer.get("truth", "right"),
            flags=tuple(layer.get("flags", ())),
        )
        for layer in project["layers"]
    ]
