"""The records of the field test: a wrong layer, and a right configuration."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cases import case_by_id
from .edits import Edit, apply_edits
from .oracle import seed_everything
from .planting import edited, module_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Case, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A right layer with one mistake in its ldj code. Plain data: it can be pickled.

    `expected` are the accepted names, most fitting first. `lines` are the lines that
    count as exact: the edited statement's own, and where a whole statement was lost
    also the map's step beside it. `chain` adds the lines that only the same terms pass.
    Paths are short ones, as `short_path` gives them.
    """

    id: str
    case_id: str
    library: str
    direction: str
    mistake: str
    expected: tuple[str, ...]
    module: str
    function: tuple[str, ...]
    edits: tuple[Edit, ...]
    lines: frozenset[tuple[str, int]]
    chain: frozenset[tuple[str, int]]

    @property
    def case(self) -> Case:
        """The right layer's case."""
        return case_by_id(self.case_id)

    @property
    def shape(self) -> Shape:
        """The event shape at which the layer is to be checked."""
        return self.case.shapes[0]

    @property
    def has_name(self) -> bool:
        """Whether the catalogue names the mistake; if not, only 120 or 199 is right."""
        return self.expected[0] != "wrong-derivative"

    @property
    def site(self) -> tuple[str, str, int]:
        """The statement and the mistake, whatever layer it is planted in."""
        return (self.mistake, self.module, self.edits[0].line)

    @contextmanager
    def layer(self) -> Iterator[Any]:
        """Give a fresh wrong layer; the library is wrong inside the `with` only."""
        with edited(self.module, self.function, self.edits):
            seed_everything(0)
            yield self.case.build(self.shape)

    def before_and_after(self) -> tuple[str, str]:
        """Return the edited lines as they were and as they are."""
        file = module_file(self.module)
        wrong = apply_edits(file, self.edits).splitlines(keepends=True)
        pairs = zip(file.lines, wrong, strict=True)
        changed = [(a.decode(), b.decode()) for a, b in pairs if a != b]
        return "".join(a for a, _ in changed), "".join(b for _, b in changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightConfiguration:
    """A right layer at one shape, born from one seed."""

    case_id: str
    shape: Shape
    seed: int

    def layer(self) -> Any:
        """Return the layer as its users build it."""
        seed_everything(self.seed)
        return case_by_id(self.case_id).build(self.shape)
