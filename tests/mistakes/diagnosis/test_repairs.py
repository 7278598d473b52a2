"""What is to blame is the value that makes all numbers agree once it is right, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

import ldjcheck
from mistakes.diagnosis.made_wrong import MADE_WRONG
from mistakes.diagnosis.written import Written
from mistakes.mending.layers import loaded, mended

if TYPE_CHECKING:
    from pathlib import Path

INTERMEDIATE = Written(
    "LDJ120",
    "a value that the map has made already is made anew, without its shift",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.w = nn.Parameter(0.3 * torch.randn(1, 4))
         self.u = nn.Parameter(0.3 * torch.randn(1, 4))
         self.b = nn.Parameter(torch.tensor([0.7]))

     def forward(self, x):
         a = x @ self.w.T + self.b
         y = x + self.u * torch.tanh(a)
-        slope = 1 - torch.tanh(x @ self.w.T) ** 2
+        slope = 1 - torch.tanh(a) ** 2
         phi = slope * self.w
         ldj = torch.log((1 + phi @ self.u.T).abs())
         return y, ldj.squeeze(1)
""",
    shape=(4,),
)
OPERATION = Written(
    "LDJ120",
    "a determinant of two by two is a sum",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.m = nn.Parameter(torch.eye(2) + 0.3 * torch.randn(2, 2))

     def forward(self, x):
         m = self.m
         y = torch.stack([x[:, 0] * m[0, 0] + x[:, 1] * m[0, 1],
                          x[:, 0] * m[1, 0] + x[:, 1] * m[1, 1]], 1)
-        area = m[0, 0] * m[1, 1] + m[0, 1] * m[1, 0]
+        area = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
         ldj = area.abs().log()
         return y, ldj.expand(len(x))
""",
    shape=(2,),
)
INSIDE_A_SUM = Written(
    "LDJ110",
    "a term of every component is missing before these are summed",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.logits = nn.Parameter(torch.randn(3, 1))
         self.rates = nn.Parameter(0.5 * torch.randn(3, 1))

     def forward(self, x):
         rate = self.rates.exp()
         inner = torch.tanh(rate * x.unsqueeze(1))
         weights = torch.softmax(self.logits, 0)
         y = (weights * inner).sum(1)
-        parts = torch.log(1 - inner ** 2) + torch.log(weights)
+        parts = torch.log(1 - inner ** 2) + torch.log(weights) + torch.log(rate)
         ldj = torch.logsumexp(parts, 1)
         return y, ldj.sum(1)
""",
    shape=(3,),
    names="rate",
)
ALIAS = Written(
    "LDJ120",
    "a name is given to one factor of two",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.w = nn.Parameter(0.4 * torch.randn(3))

     def forward(self, x):
         first = torch.sigmoid(self.w)
         second = torch.tanh(self.w + 1)
         both = first * second
         y = x + both * torch.tanh(x)
-        gain = first
+        gain = first * second
         ldj = torch.log1p(gain * (1 - torch.tanh(x) ** 2))
         return y, ldj.sum(1)
""",
    shape=(3,),
)
SHARED_HELPER = Written(
    "LDJ112",
    "a helper that the map runs too is asked at the output",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.net = nn.Linear(4, 4)
         self.register_buffer("mask", torch.ones(4, 4).tril(-1))

     def scale(self, x):
         return torch.tanh(x @ (self.net.weight * self.mask).T + self.net.bias)

     def forward(self, x):
         y = x * torch.exp(self.scale(x))
-        return y, self.scale(y).sum(1)
+        return y, self.scale(x).sum(1)
""",
    shape=(4,),
)
COUNT_HELD = Written(
    "LDJ103",
    "a constant counts once, and not as often as the layer holds",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.first = 3
         self.s = nn.Parameter(torch.randn(7))

     def forward(self, x):
         y = x * self.s.exp()
         k = self.first
         y = torch.cat([y[:, :k] * 5.0, y[:, k:]], 1)
-        ldj = self.s.sum() + math.log(5.0)
+        ldj = self.s.sum() + math.log(5.0) * self.first
         return y, ldj.expand(len(x))
""",
    shape=(7,),
    names="self.first",
)
AXES = Written(
    "LDJ103",
    "the sizes are multiplied from the wrong axis on",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.s = nn.Parameter(torch.tensor(0.4))

     def count(self, sizes):
-        many = sizes[2:].numel()
+        many = sizes[1:].numel()
         return self.s * many

     def forward(self, x):
         return x * self.s.exp(), self.count(x.shape).expand(len(x))
""",
    shape=(3, 2, 4),
)
ONE_LESS = Written(
    "LDJ103",
    "particles without their centre are one less",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.s = nn.Parameter(torch.tensor(0.4))

     def forward(self, x):
         b, n, d = x.shape
         centre = x.mean(1, keepdim=True)
         y = centre + (x - centre) * self.s.exp()
-        return y, (n * d * self.s).expand(b)
+        return y, ((n - 1) * d * self.s).expand(b)
""",
    shape=(4, 3),
)
NUMBER_OF_MAP = Written(
    "LDJ114",
    "a number of the map is not in the ldj",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.net = nn.Linear(2, 2)

     def forward(self, x):
         a, b = x.chunk(2, 1)
         s = self.net(a)
         y = torch.cat([a, b * torch.exp(0.7 * s)], 1)
-        return y, s.sum(1)
+        return y, (0.7 * s).sum(1)
""",
    shape=(4,),
    names="7/10",
)
RETURNED = Written(
    "LDJ110",
    "one of two terms is not handed back",
    """
 class Half(nn.Module):
     def __init__(self):
         super().__init__()
         self.net = nn.Linear(2, 2)

     def couple(self, a, b):
         s = torch.tanh(self.net(a))
         return torch.cat([a, b * s.exp()], 1), s.sum(1)

 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.one, self.two = Half(), Half()

     def forward(self, x):
         h, l1 = self.one.couple(x[:, :2], x[:, 2:])
         out, l2 = self.two.couple(h[:, 2:], h[:, :2])
-        return out, l1
+        return out, l1 + l2
""",
    shape=(4,),
)
ROUNDS = Written(
    "LDJ110",
    "the total of a loop is written anew in each round",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.net = nn.Linear(2, 2)

     def forward(self, x):
         state, ys, ldj = x.new_zeros(len(x), 2), [], x.new_zeros(len(x))
         for t in range(x.shape[1]):
             s = torch.tanh(self.net(state))
             ys.append(x[:, t] * s.exp())
             state = torch.tanh(state + x[:, t])
-            ldj = s.sum(1)
+            ldj = ldj + s.sum(1)
         return torch.stack(ys, 1), ldj
""",
    shape=(4, 2),
)
LOG = Written(
    "LDJ108",
    "a slope is counted where its logarithm belongs, on one side of zero",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.raw = nn.Parameter(torch.tensor(0.3))

     def forward(self, x):
         slope = F.softplus(self.raw)
         below = x < 0
-        ldj = (below * slope).sum(1)
+        ldj = (below * torch.log(slope)).sum(1)
         return torch.where(below, slope * x, x), ldj
""",
    shape=(4,),
    names="slope",
)
OF_THE_OUTPUT = Written(
    "LDJ112",
    "the way back asks for the ldj of all turns of a loop where it began",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.a = nn.Parameter(0.3 * torch.randn(3, 4))
         self.b = nn.Parameter(0.3 * torch.randn(3, 4))

     def log_det(self, x):
         total = x.new_zeros(len(x))
         for a, b in zip(self.a, self.b):
             slope = 1 + (x * a.exp() + b) ** 2
             total = total + (a - 0.5 * slope.log()).sum(1)
             x = torch.asinh(x * a.exp() + b)
         return total

     def forward(self, x):
         ldj = self.log_det(x)
         for a, b in zip(self.a, self.b):
             x = torch.asinh(x * a.exp() + b)
         return x, ldj

     def inverse(self, y):
         x = y
         for a, b in zip(reversed(self.a), reversed(self.b)):
             x = (torch.sinh(x) - b) * (-a).exp()
-        return x, -self.log_det(y)
+        return x, -self.log_det(x)
""",
    shape=(4,),
)
OF_THE_ACTIVATION = Written(
    "LDJ112",
    "a helper for the slope is given what the function made already",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.w = nn.Parameter(0.3 * torch.randn(4))
         self.h = nn.Tanh()

     def slope(self, x):
         return 1 - self.h(x) ** 2

     def forward(self, x):
         inside = x * self.w.exp() + 0.3
         act = self.h(inside)
-        slope = self.slope(act) * self.w.exp()
+        slope = self.slope(inside) * self.w.exp()
         return x + act, torch.log(1 + slope).sum(1)
""",
    shape=(4,),
    names="inside",
)
RAW = Written(
    "LDJ120",
    "what a positive number is made of stands where its logarithm belongs",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.diagonal = nn.Parameter(torch.randn(4))
         self.upper = nn.Parameter(0.3 * torch.randn(4, 4))

     def forward(self, x):
         d = F.softplus(self.diagonal) + 0.05
         y = x @ (torch.triu(self.upper, 1) + torch.diag(d)).T
-        ldj = self.diagonal.sum()
+        ldj = torch.log(d).sum()
         return y, ldj.expand(len(x))
""",
    shape=(4,),
)
BEGUN_ANEW = Written(
    "LDJ110",
    "a total begins anew in each round",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.scales = nn.Parameter(0.3 * torch.randn(3, 4))

     def forward(self, x):
         ldj = torch.zeros_like(x[:, 0])
         for s in self.scales:
             x = torch.sinh(x) * s.exp()
             slopes = s + torch.log(torch.sqrt(1 + (x / s.exp()) ** 2))
-            ldj = torch.zeros_like(x[:, 0]) + slopes.sum(1)
+            ldj = ldj + slopes.sum(1)
         return x, ldj
""",
    shape=(4,),
)
OF_ANOTHER_CALL = Written(
    "LDJ120",
    "of several values that one helper makes another one is read",
    """
 def row(table, index):
     return F.softplus(table[index])

 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.table = nn.Parameter(torch.randn(3, 4))

     def forward(self, x):
         a, b, c = row(self.table, 0), row(self.table, 1), row(self.table, 2)
         y = a * x ** 3 + b * x + c * torch.tanh(x)
-        slope = 3 * a * x ** 2 + c + c * (1 - torch.tanh(x) ** 2)
+        slope = 3 * a * x ** 2 + b + c * (1 - torch.tanh(x) ** 2)
         return y, torch.log(slope).sum(1)
""",
    shape=(4,),
)
BLAMED = (
    RAW, BEGUN_ANEW,
    OF_THE_ACTIVATION, INTERMEDIATE, OPERATION, INSIDE_A_SUM, ALIAS, SHARED_HELPER,
    COUNT_HELD, AXES,
    ONE_LESS, NUMBER_OF_MAP, RETURNED, ROUNDS, LOG, OF_THE_OUTPUT,
)  # fmt: skip


@pytest.mark.thinned(54)
@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("written", [*BLAMED, *MADE_WRONG], ids=lambda w: w.title)
def test_the_line_that_was_written_wrong_is_told_and_is_what_is_edited(
    written: Written, seed: int, tmp_path: Path
) -> None:
    wrong = written.wrong(tmp_path)
    report = ldjcheck.check(wrong, shape=written.shape, seed=seed)
    first = report.findings[0]
    assert first.location is not None
    assert (first.code, first.location.text) == (written.code, written.blamed), report
    assert written.names is None or written.names in first.message
    assert ldjcheck.check(written.right(tmp_path), shape=written.shape).status == "pass"
    assert first.fix is not None
    assert first.location.line in [edit.line for edit in first.fix.edits]
    other = mended(tmp_path / first.location.file.split("/")[-1], first.fix)
    assert (
        ldjcheck.check(loaded(other), shape=written.shape, seed=seed + 1).status
        == "pass"
    )


@pytest.mark.parametrize("seed", [0, 5])
def test_what_one_helper_makes_is_told_apart_by_its_calls(
    seed: int, tmp_path: Path
) -> None:
    wrong = OF_ANOTHER_CALL.wrong(tmp_path)
    (finding,) = ldjcheck.check(wrong, shape=(4,), seed=seed).findings
    assert "all numbers agree with `b` for `c`" in finding.evidence


def test_a_number_that_nothing_holds_is_no_count_that_is_known(tmp_path: Path) -> None:
    text = COUNT_HELD.text.replace("self.first = 3", "pass").replace(
        "k = self.first", "k = int('3')"
    )
    wrong = Written("LDJ114", "nothing holds the count", text, shape=(7,))
    report = ldjcheck.check(wrong.wrong(tmp_path), shape=(7,))
    first = report.findings[0]
    assert first.code == "LDJ114"
    assert first.fix is not None
    assert first.fix.applicability == "suggested"


KEPT_BY_EACH = Written(
    "LDJ110",
    "each part keeps its own ldj, and one of them is handed back",
    """
 class Part(nn.Module):
     def __init__(self):
         super().__init__()
         self.a = nn.Parameter(torch.randn(4))

     def forward(self, x):
         self.ldj = torch.log1p(self.a.exp() * (1 - torch.tanh(x) ** 2)).sum(1)
         return x + self.a.exp() * torch.tanh(x)

 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.parts = nn.ModuleList([Part(), Part(), Part()])

     def forward(self, x):
         for part in self.parts:
             x = part(x)
-        return x, self.parts[-1].ldj
+        return x, sum(part.ldj for part in self.parts)
""",
    shape=(4,),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5])
def test_who_calls_parts_that_are_right_loses_what_they_made(
    seed: int, tmp_path: Path
) -> None:
    report = ldjcheck.check(KEPT_BY_EACH.wrong(tmp_path), shape=(4,), seed=seed)
    first = report.findings[0]
    assert first.location is not None
    assert (first.code, first.location.text) == ("LDJ110", KEPT_BY_EACH.blamed)
    assert ldjcheck.check(KEPT_BY_EACH.right(tmp_path), shape=(4,)).status == "pass"


class JacobianByVmap(nn.Module):
    """Has the Jacobian of its step made by `vmap`, at a point that may be the wrong one."""

    def __init__(self, at_y: bool) -> None:
        super().__init__()
        self.at_y = at_y
        self.weight = nn.Parameter(0.3 * torch.randn(2, 2))

    def moved(self, x: Tensor) -> Tensor:
        return 0.5 * torch.tanh(x @ self.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x + self.moved(x)
        jacobian = vmap(jacrev(self.moved))(y if self.at_y else x)
        return y, torch.linalg.slogdet(torch.eye(2).to(x) + jacobian)[1]


@pytest.mark.slow
def test_values_within_a_vmap_are_left_as_they_are() -> None:
    assert ldjcheck.check(JacobianByVmap(at_y=False)).status == "pass"
    report = ldjcheck.check(JacobianByVmap(at_y=True))
    assert report.findings[0].code == "LDJ120", report
    assert report.findings[0].fix is not None
