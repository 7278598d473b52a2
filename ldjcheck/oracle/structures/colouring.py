"""Local maps: each output hangs on a window around its own place, as by a convolution.

Sources that are so far apart that no line hangs on two of them have one colour, and are
asked for together (Curtis, Powell and Reid, *On the estimation of sparse Jacobian
matrices*, 1974): a window of 3 x 3 pixels with all their c channels takes 9 c products,
whatever the size of the image. The determinant is then that of the whole matrix.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
import torch
from torch import Tensor

from ldjcheck.oracle.structures.dense import Dense, of_columns
from ldjcheck.oracle.structures.diagonal import divisible
from ldjcheck.oracle.structures.proof import PROBES, Block, Proposal

_LEAST = 64  # lines: of fewer all entries are soon worked out
_SHARE = 0.34  # of the sources: more colours are not worth the guess
_MEMORY = 2**30  # bytes that the matrices may take
_SOLVED = 4  # random right-hand sides that tell how large the inverse is


@dataclass(frozen=True, kw_only=True)
class Coloured(Dense):
    """A matrix of which all entries are known, if the others are zero as supposed."""

    probes = PROBES  # as many as for any guess

    @cached_property
    def scales(self) -> Tensor:
        """The largest entries of the columns once the lines are scaled to one."""
        size = self.columns.abs()
        lines = divisible(size.amax(dim=1))
        return divisible((size / lines[:, None]).amax(dim=2))

    @cached_property
    def influence(self) -> Tensor:
        """The norms of the columns of C S^-1, told from a few random vectors."""
        drawn = np.random.default_rng(0).choice(
            (-1.0, 1.0), (self.scales.shape[1], _SOLVED)
        )
        found = []
        pairs = zip(self.columns.cpu().numpy(), self.scales.cpu().numpy(), strict=True)
        for matrix, scale in pairs:
            try:
                solved = np.linalg.solve(matrix, scale[:, None] * drawn)
            except np.linalg.LinAlgError:  # singular: nothing moves its determinant
                solved = np.zeros_like(drawn)
            found.append(np.sqrt(np.square(solved).mean(axis=1)))
        return torch.from_numpy(np.stack(found)).to(self.columns)


@dataclass(frozen=True, kw_only=True)
class Window:
    """How far along each axis a line may be from the sources that it hangs on."""

    event: tuple[int, ...]
    reach: tuple[int, ...]  # along each axis, round the end as well

    @property
    def periods(self) -> tuple[int, ...]:
        """After how many places along each axis a colour comes again.

        Best a part of the axis, for maps that go round its end; else the window's size,
        for one that does not.
        """
        found = []
        for reach, size in zip(self.reach, self.event, strict=True):
            least = min(2 * reach + 1, size)
            whole = next(each for each in range(least, size + 1) if size % each == 0)
            found.append(whole if whole <= 2 * least else least)
        return tuple(found)

    @property
    def colours(self) -> int:
        """How many there are."""
        return prod(self.periods)


def propose(block: Block) -> Proposal[Coloured] | None:
    """Return the entries within a window that no glimpse contradicts, and zeros beyond."""
    products = block.products
    if not block.is_whole or block.size < _LEAST:
        return None
    if 8 * block.batch * block.size**2 > _MEMORY:
        return None
    if products.line_event != products.source_event or len(products.line_event) < 2:
        return None
    window = window_of(block)
    if window.colours > _SHARE * block.size:
        return None
    return of_columns(Coloured, block, _columns(block, window))


def window_of(block: Block) -> Window:
    """Return the window that holds all lines of all glimpses."""
    event = block.products.line_event
    reach = [0] * len(event)
    for source, lines in block.patterns:
        own = torch.unravel_index(torch.tensor(source), event)
        places = torch.unravel_index(lines, event)
        for axis, size in enumerate(event):
            away = (places[axis].cpu() - own[axis]).abs()
            if len(away):
                reach[axis] = max(
                    reach[axis], int(torch.minimum(away, size - away).max())
                )
    return Window(event=event, reach=tuple(reach))


def _columns(block: Block, window: Window) -> Tensor:
    """Return all columns of A, `(batch, n, n)`, from one product per colour."""
    event, periods, device = window.event, window.periods, block.lines.device
    places = torch.stack(torch.unravel_index(block.lines, event))  # (axes, n)
    sizes = torch.tensor(event, device=device)[:, None]
    steps = torch.tensor(periods, device=device)[:, None]
    colour = torch.zeros_like(block.lines)
    for axis, period in enumerate(periods):
        colour = colour * period + places[axis] % period
    units = torch.nn.functional.one_hot(colour, window.colours).T.double()
    # (colours, batch, n)
    found = block.times(units[:, None].expand(-1, block.batch, -1))
    columns = found.new_zeros(block.batch, block.size, block.size)
    for number, at in enumerate(product(*map(range, periods))):
        # The place of the colour that is nearest to each line.
        away = torch.tensor(at, device=device)[:, None] - places + steps // 2
        nearest = places + away % steps - steps // 2
        inside = ((nearest >= 0) & (nearest < sizes)) | (sizes % steps == 0)
        known = inside.all(dim=0)
        source = torch.zeros_like(block.lines)
        for axis, size in enumerate(event):
            source = source * size + nearest[axis] % size
        columns[:, source[known], block.lines[known]] = found[number][:, known]
    return columns
