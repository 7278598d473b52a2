"""A layer that takes one size is built by its class for others: an edit must hold there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck
from mistakes.diagnosis.written import Written
from mistakes.mending.layers import built, loaded, mended

if TYPE_CHECKING:
    from pathlib import Path

RADIAL = Written(
    "LDJ103",
    "of dims - 1 equal factors one is counted",
    """
 class Layer(nn.Module):
     def __init__(self, d=3):
         super().__init__()
         self.center = nn.Parameter(0.3 * torch.randn(d))
         self.alpha = nn.Parameter(torch.tensor(0.2))
         self.beta = nn.Parameter(torch.tensor(0.4))

     def forward(self, x):
         v = x - self.center
         r = v.norm(dim=1, keepdim=True)
         alpha = F.softplus(self.alpha)
         h = 1 / (alpha + r)
         bh = (F.softplus(self.beta) - alpha) * h
-        ldj = torch.log1p(bh) + torch.log1p(bh * (1 - r * h))
+        ldj = torch.log1p(bh) * (x.shape[1] - 1) + torch.log1p(bh * (1 - r * h))
         return x + bh * v, ldj.squeeze(1)
""",
    shape=(3,),
    names="(dims-1) times as much",
)
SQUARED = Written(
    "LDJ114",
    "a scale is applied twice, whatever the dims",
    """
 class Layer(nn.Module):
     def __init__(self, d=3):
         super().__init__()
         self.log_s = nn.Parameter(0.3 * torch.randn(d))

     def forward(self, x):
         y = x * self.log_s.exp() ** 2
-        return y, self.log_s.sum().expand(len(x))
+        return y, (2 * self.log_s).sum().expand(len(x))
""",
    shape=(3,),
    names="must be multiplied by 2",
)
HALF = Written(
    "LDJ103",
    "one scale of half of the dims counts once",
    """
 class Layer(nn.Module):
     def __init__(self, d=4):
         super().__init__()
         self.net = nn.Linear(d // 2, d // 2)
         self.log_t = nn.Parameter(torch.tensor(0.3))

     def forward(self, x):
         a, b = x.chunk(2, 1)
         y = torch.cat([a, b * self.log_t.exp() + self.net(a)], 1)
-        return y, self.log_t.expand(len(x))
+        return y, self.log_t.expand(len(x)) * b.shape[1]
""",
    shape=(4,),
)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [RADIAL, SQUARED, HALF], ids=lambda w: w.title)
def test_an_edit_is_right_where_the_layer_is_built_for_another_size(
    layer: Written, tmp_path: Path
) -> None:
    (first,) = ldjcheck.check(layer.wrong(tmp_path), shape=layer.shape).findings
    assert first.code == layer.code
    assert layer.names is None or layer.names in first.message
    assert first.fix is not None
    assert first.fix.applicability == "verified"
    assert first.location is not None
    other = mended(tmp_path / first.location.file.split("/")[-1], first.fix)
    for size in (layer.shape[0], 10):
        built = loaded(other, f"Layer({size})")
        assert ldjcheck.check(built, shape=(size,)).status == "pass"


def test_a_number_is_no_count_of_the_channels_that_a_shape_gives(
    tmp_path: Path,
) -> None:
    """A third is right of three channels; what counts is hidden from the edit."""
    text = """
    class Layer(nn.Module):
        def __init__(self, shape=(3, 4, 4)):
            super().__init__()
            self.log_scale = nn.Parameter(0.3 * torch.randn(shape[0]))
            self.count = lambda x: x[0].numel()

        def forward(self, x):
            y = x * torch.exp(self.log_scale[:, None, None])
            return y, self.log_scale.sum().expand(len(x)) * self.count(x)
    """
    fix = ldjcheck.check(built(text, tmp_path)).findings[0].fix
    assert fix is None or not any("3" in edit.after for edit in fix.edits)
