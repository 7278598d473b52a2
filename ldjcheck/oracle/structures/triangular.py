"""Autoregressive maps: J is triangular, and log|det J| the sum of log|J_ii|.

No few products of a triangular matrix tell its diagonal, as long as their vectors have
entries of one size. With w_i = z^i, |z| < 1, the product A w of an upper triangular A is

    (A w)_i / z^i = A_ii + A_i,i+1 z + A_i,i+2 z^2 + ...

a polynomial whose value at 0 is wanted. Numbers of double precision reach from 1e-308 to
1e308, so that z^i may fall so fast that N = n / 29 powers of z are all that counts. The
discrete Fourier transform of the values at N points of a circle tells the coefficients
(Lyness and Moler, *Numerical differentiation of analytic functions*, 1967). Random vectors
prove them: an entry below the diagonal stands there with a negative power of z, which is
above one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from math import ceil, log2

import torch
from torch import Tensor

from ldjcheck.oracle.structures.proof import Block, Claim, Proposal

_LEAST = 64  # lines: of fewer all entries are soon worked out
_DECADES = 560.0  # between the largest and the smallest entry of a vector
_NEGLIGIBLE = 20.0  # decades below the largest: there the coefficients end
_FEWEST = 8  # coefficients
_ROUNDING = 16.0  # units per entry
_SOLVED = 4  # random right-hand sides that tell how large the inverse is


@dataclass(frozen=True, kw_only=True)
class Triangular(Claim):
    """A matrix that is upper triangular in an order, known near its diagonal.

    `coefficients[b, i, d]` is A_i,i+d times g_i+d / g_i, lines and sources in that order.
    """

    coefficients: Tensor  # `(batch, n, N)`
    grades: Tensor  # g, which falls about as r^i does, in powers of two, `(n,)`
    lines: Tensor  # the lines in their order, `(n,)`
    sources: Tensor  # the sources in theirs

    is_graded = True

    def times(self, w: Tensor) -> Tensor:
        """Return S w, true where w falls as g does."""
        return self._combined(self.coefficients, w)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |S| w likewise."""
        return self._combined(self.coefficients.abs(), w)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Raise: what is far from the diagonal is not known."""
        raise NotImplementedError

    def _combined(self, coefficients: Tensor, w: Tensor) -> Tensor:
        level = w[..., self.sources] / self.grades
        count = coefficients.shape[2]
        # Each entry and those after it, `(..., n, count)`, zeros beyond the end.
        windows = torch.nn.functional.pad(level, (0, count - 1)).unfold(-1, count, 1)
        found = (coefficients * windows).sum(dim=-1) * self.grades
        return torch.empty_like(w).index_copy(-1, self.lines, found)

    @cached_property
    def scales(self) -> Tensor:
        """1 / g by source, so that vectors fall as g does."""
        by_place = (1.0 / self.grades).expand(self.coefficients.shape[:2])
        return torch.empty_like(by_place).index_copy(-1, self.sources, by_place)

    @cached_property
    def influence(self) -> Tensor:
        """The norms of the columns of C S^-1, told from a few random vectors."""
        size = self.coefficients.shape[1]
        generator = torch.Generator().manual_seed(0)
        shape = (_SOLVED, len(self.coefficients), size)
        signs = torch.randint(0, 2, shape, generator=generator).double() * 2 - 1
        solved = _solved_transposed(self.coefficients, signs.to(self.lines.device))
        norms = solved.square().mean(dim=0).sqrt() / self.grades
        return torch.empty_like(norms).index_copy(-1, self.lines, norms)

    @property
    def rounding(self) -> Tensor:
        """That of the diagonal beside all that a line adds up, and of the logarithms."""
        diagonal = self.coefficients[..., 0].abs()
        beside = self.coefficients.abs().sum(dim=2) / diagonal
        return _ROUNDING * self.epsilon * (beside + diagonal.log().abs()).sum(dim=1)


def propose(block: Block) -> Proposal[Triangular] | None:
    """Return that the block is triangular in an order that no glimpse contradicts."""
    products = block.products
    if block.size < _LEAST or not torch.equal(block.inputs, block.outputs):
        return None
    if products.line_event != products.source_event:
        return None
    if products.epsilon > torch.finfo(torch.float64).eps:
        return None  # numbers of other precision do not reach as far
    order = next(_orders(block), None)
    if order is None:
        return None
    coefficients, grades = _coefficients(block, order)
    diagonal = coefficients[..., 0]
    logs = diagonal.abs().log()
    return Proposal(
        claim=Triangular(
            structure="triangular",
            sign=diagonal.sign().prod(dim=1) + 0.0,
            ldj=logs.sum(dim=1),
            shares=torch.empty_like(logs).index_copy(-1, order, logs),
            epsilon=block.products.epsilon,
            coefficients=coefficients,
            grades=grades,
            lines=order,
            sources=order,
        ),
        part=block,
    )


def _orders(block: Block) -> Iterator[Tensor]:
    """Yield orders of the event's entries in which each source comes after its lines.

    Along the axes, in any sequence and direction: pixels row by row, channels in each.
    """
    event = block.products.line_event
    places = torch.unravel_index(block.lines, event)
    shown = [lines for _, lines in block.patterns]
    if not shown or all(len(lines) == block.size for lines in shown):
        return
    for axes in permutations(range(len(event))):
        for flips in product((False, True), repeat=len(event)):
            label = torch.zeros_like(block.lines)
            for axis in axes:
                along = places[axis]
                along = event[axis] - 1 - along if flips[axis] else along
                label = label * event[axis] + along
            if all(
                bool((label[lines] <= label[source]).all())
                for source, lines in block.patterns
            ):
                yield label.argsort()


def _coefficients(block: Block, order: Tensor) -> tuple[Tensor, Tensor]:
    """Return A_i,i+d g_i+d / g_i for few d, `(batch, n, N)`, and g, in the order's terms.

    Powers of two and roots of one by their exact number: nothing is rounded that would
    have to cancel.
    """
    size = block.size
    count = max(_FEWEST, ceil(size * _NEGLIGIBLE / _DECADES))
    place = torch.arange(size, device=order.device)
    decades = min(_DECADES / size, _NEGLIGIBLE / count)  # from place to place
    halvings = ((place - size // 2).double() * (decades * log2(10.0))).round()
    grades = torch.exp2(-halvings)
    points = torch.arange(count // 2 + 1, device=order.device)
    roots = torch.polar(
        torch.ones(count).double(), 2 * torch.pi / count * torch.arange(count).double()
    ).to(order.device)
    turned = roots[points[:, None] * place % count]
    vectors = torch.cat([turned.real, turned.imag]) * grades
    spread = torch.empty_like(vectors).index_copy(1, order, vectors)
    found = block.times(spread[:, None].expand(-1, block.batch, -1))[..., order]
    real, imaginary = (found / grades).chunk(2)
    values = torch.complex(real, imaginary) * turned.conj()[:, None]
    # At the k-th point stands the sum of c_d exp(2 pi i k d / N).
    coefficients = torch.fft.irfft(values.conj(), n=count, dim=0)
    return coefficients.permute(1, 2, 0), grades


def _solved_transposed(coefficients: Tensor, right: Tensor) -> Tensor:
    """Return z of z^T S = g^T for a banded upper triangular S, `(k, batch, n)`.

    By blocks as wide as the band, each of which meets the one before it alone.
    """
    size, count = coefficients.shape[1:]
    side = max(count, _LEAST)
    right = right.transpose(0, 1)  # (batch, k, n)
    solved: list[Tensor] = []
    beside: Tensor | None = None  # what the block before adds to this one
    for first in range(0, size, side):
        rows = coefficients[:, first : first + side]
        wide = _rows(rows, side)
        known = right[..., first : first + side]
        if beside is not None:
            known = known - beside[..., : known.shape[-1]]
        block = wide[..., : known.shape[-1]]
        found = torch.linalg.solve_triangular(block, known, upper=True, left=False)
        solved.append(found)
        beside = found @ wide[..., side:]
    return torch.cat(solved, dim=-1).transpose(0, 1)


def _rows(coefficients: Tensor, side: int) -> Tensor:
    """Return rows of a banded matrix from their diagonal on, `(batch, rows, 2 * side)`."""
    batch, size, count = coefficients.shape
    device = coefficients.device
    place = torch.arange(size, device=device)[:, None]
    columns = place + torch.arange(count, device=device)
    wide = coefficients.new_zeros(batch, size, 2 * side)
    return wide.scatter_(2, columns.expand(batch, -1, -1), coefficients)
