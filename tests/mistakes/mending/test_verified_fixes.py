"""A fix, written into the file, makes the layer right; where none is sure, there is none."""

from __future__ import annotations

import inspect
import itertools
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch

import ldjcheck
from ldjcheck.mistakes.rewriting.terms import _logged
from mistakes.mending.layers import built, loaded, mended, written

if TYPE_CHECKING:
    from pathlib import Path

    from ldjcheck.records import Fix


def fix_of(layer: Any, shape: tuple[int, ...] = (4,)) -> Fix | None:
    report = ldjcheck.check(layer, shape=shape)
    assert report.status == "fail", report
    return report.findings[0].fix


def after(fix: Fix | None) -> list[str]:
    assert fix is not None
    assert fix.applicability == "verified"
    return [edit.after.strip() for edit in fix.edits]


MISTAKES = {
    "dims that stay, which are cut off elsewhere": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                steps = torch.cat([x[:, :1], x[:, 1:].exp()], 1)
                return steps.cumsum(1), torch.flatten(x, 1).sum(1)
        """,
        ["return steps.cumsum(1), torch.flatten(x[:, 1:], 1).sum(1)"],
    ),
    "the logarithm of an exponential, which is its argument": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = nn.Parameter(torch.linspace(-1.0, 1.0, 4))
                self.ls = nn.Parameter(torch.tensor([0.3, -0.4, 0.2, 0.1]))

            def forward(self, x):
                z = (x.unsqueeze(-1) - self.mean) * torch.exp(-self.ls)
                log_cdf = torch.logsumexp(F.logsigmoid(z), -1) - math.log(4)
                log_sf = torch.logsumexp(F.logsigmoid(-z), -1) - math.log(4)
                pdf = torch.logsumexp(F.logsigmoid(z) + F.logsigmoid(-z), -1)
                ldj = pdf - math.log(4) - log_cdf - log_sf
                return log_cdf - log_sf, ldj.sum(1)
        """.replace("F.", "nn.functional."),
        [
            "pdf = torch.logsumexp(nn.functional.logsigmoid(z) + -self.ls + "
            "nn.functional.logsigmoid(-z), -1)"
        ],
    ),
    "beside a solver, whose way back a right ldj alone proves": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.steep = nn.Parameter(torch.tensor([0.7, 1.0, 0.9, 1.2]))

            def ldj(self, x):
                return (1 + 3 * self.steep**2 * x**2).sum(-1)

            def forward(self, x):
                return x + self.steep**2 * x**3, self.ldj(x)

            @torch.no_grad()
            def solve(self, y):
                low, high = torch.full_like(y, -20.0), torch.full_like(y, 20.0)
                while (high - low).max() > 1e-6:
                    middle = (low + high) / 2
                    under = middle + self.steep**2 * middle**3 < y
                    low = torch.where(under, middle, low)
                    high = torch.where(under, high, middle)
                return (low + high) / 2

            def inverse(self, y):
                x = self.solve(y)
                return x, -self.ldj(x)
        """,
        ["return torch.log(1 + 3 * self.steep**2 * x**2).sum(-1)"],
    ),
    "sign": (
        """
        class Layer(nn.Module):
            def forward(self, z, ldj, reverse=False):
                if reverse:
                    return z / 3, ldj - math.log(3) * z[0].numel()
                z = z * 3
                ldj -= math.log(3) * z[0].numel()
                return z, ldj
        """,
        ["ldj += math.log(3) * z[0].numel()"],
    ),
    "condition of the other branch": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                y = torch.where(x >= 0, x, 0.3 * x)
                return y, (x >= 0).sum(dim=1) * math.log(0.3)
        """,
        ["return y, (x < 0).sum(dim=1) * math.log(0.3)"],
    ),
    "condition turned around": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                y = torch.where(x < 0, 0.3 * x, x)
                return y, (x > 0).sum(dim=1) * math.log(0.3)
        """,
        ["return y, (x < 0).sum(dim=1) * math.log(0.3)"],
    ),
    "mean over the batch and the dims": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.log(torch.cosh(x)).mean()
                return torch.sinh(x), ldj
        """,
        ["ldj = torch.log(torch.cosh(x)).flatten(1).sum(1)"],
    ),
    "count and sign of one term": (
        """
        class Layer(nn.Module):
            def forward(self, z, ldj, reverse=False):
                if reverse:
                    return z / 3, ldj - math.log(3) * z[0].numel()
                z = z * 3
                ldj = ldj - math.log(3)
                return z, ldj
        """,
        ["ldj = ldj + math.log(3) * z[0].numel()"],
    ),
    "count, in the function's own words": (
        """
        class Layer(nn.Module):
            def forward(self, z, ldj, reverse=False):
                if reverse:
                    return z / 3, ldj - math.log(3) * z[0].numel()
                z = z * 3
                ldj = ldj + math.log(3)
                return z, ldj
        """,
        ["ldj = ldj + math.log(3) * z[0].numel()"],
    ),
    "mean": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return torch.sinh(x), torch.log(torch.cosh(x)).mean(dim=1)
        """,
        ["return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "log": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return torch.sinh(x), torch.cosh(x).sum(dim=1)
        """,
        ["return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "slice": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return torch.sinh(x), torch.log(torch.cosh(x))[:, 1:].sum(dim=1)
        """,
        ["return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "abs": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, x):
                ldj = self.log_scale.abs().sum()
                return x * self.log_scale.exp(), ldj.expand(len(x))
        """,
        ["ldj = self.log_scale.sum()"],
    ),
    "axes": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.log(torch.cosh(x))
                return torch.sinh(x), ldj
        """,
        ["ldj = torch.log(torch.cosh(x)).flatten(1).sum(1)"],
    ),
    "an axis kept": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.log(torch.cosh(x)).sum(dim=1, keepdim=True)
                return torch.sinh(x), ldj
        """,
        ["ldj = torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "point": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                y = torch.sinh(x)
                return y, torch.log(torch.cosh(y)).sum(dim=1)
        """,
        ["return y, torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "a term too many": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.log(torch.cosh(x)).sum(dim=1)
                ldj = ldj + 0.7
                return torch.sinh(x), ldj
        """,
        [""],
    ),
    "sign of the inverse": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return x.sinh(), torch.log(torch.cosh(x)).sum(dim=1)

            def inverse(self, y):
                x = y.asinh()
                ldj = torch.log(torch.cosh(x)).sum(dim=1)
                return x, ldj
        """,
        ["ldj = -torch.log(torch.cosh(x)).sum(dim=1)"],
    ),
    "both directions": (
        """
        class Layer(nn.Module):
            def forward(self, z, ldj, reverse=False):
                if not reverse:
                    z = z * 3
                    ldj = ldj + math.log(3)
                else:
                    z = z / 3
                    ldj = ldj - math.log(3)
                return z, ldj
        """,
        [
            "ldj = ldj + math.log(3) * math.prod(z.shape[1:])",
            "ldj = ldj - math.log(3) * math.prod(z.shape[1:])",
        ],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_a_fix_is_the_plainest_edit_and_makes_the_check_pass(
    name: str, tmp_path: Path
) -> None:
    text, expected = MISTAKES[name]
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert after(fix) == expected
    assert fix is not None
    assert fix.residual_after is not None
    assert fix.residual_after < 1e-9
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert not [f for f in report.findings if f.severity == "error"], report


def test_a_division_that_has_no_reason_is_taken_out(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

        def forward(self, x):
            ldj = self.log_scale.sum() / 2
            return x * self.log_scale.exp(), ldj.expand(len(x))
    """
    fix = fix_of(built(text, tmp_path))
    assert after(fix) == ["ldj = self.log_scale.sum()"]


@pytest.mark.slow
def test_two_mistakes_of_one_direction_are_mended_together(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

        def scale(self, x):
            ldj = -self.log_scale.sum().expand(len(x))
            return x * self.log_scale.exp(), ldj

        def warp(self, x):
            ldj = torch.log(torch.cosh(x)).mean(dim=1)
            return torch.sinh(x), ldj

        def forward(self, x):
            x, first = self.scale(x)
            x, second = self.warp(x)
            return x, first + second
    """
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert after(fix) == [
        "ldj = self.log_scale.sum().expand(len(x))",
        "ldj = torch.log(torch.cosh(x)).sum(dim=1)",
    ]
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert report.status == "pass", report


@pytest.mark.slow
def test_a_size_has_the_name_that_the_function_gave_it(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2]))

        def forward(self, x):
            _, _, h, w = x.shape
            scale = self.log_scale.exp()[None, :, None, None]
            return x * scale, (self.log_scale.sum() * w * w).expand(len(x))
    """
    fix = fix_of(built(text, tmp_path), shape=(2, 4, 5))
    assert len(after(fix)) == 1
    assert "self.log_scale.sum() * " in after(fix)[0]
    assert "w * h" in after(fix)[0] or "h * w" in after(fix)[0]


def test_a_count_is_mended_in_the_helper_that_takes_it(tmp_path: Path) -> None:
    """Channels stay at the size that the layer was built for: a third is one of three."""
    text = """
    class Layer(nn.Module):
        def __init__(self, shape=(3, 4, 4)):
            super().__init__()
            self.log_scale = nn.Parameter(0.3 * torch.randn(shape[0]))

        def places(self, x):
            return x.shape[1:].numel()

        def forward(self, x):
            y = x * torch.exp(self.log_scale[:, None, None])
            return y, torch.sum(self.log_scale).expand(len(x)) * self.places(x)
    """
    report = ldjcheck.check(built(text, tmp_path))
    (finding,) = report.findings
    assert after(finding.fix) == ["return x.shape[2:].numel()"]
    assert finding.fix is not None
    assert finding.location is not None
    assert finding.location.line == finding.fix.edits[0].line


def test_an_edit_leaves_each_sample_its_number(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.4, 0.1]))

        def forward(self, x):
            n = x.shape[1] // 2
            y = torch.cat([x[:, :n], x[:, n:] * torch.exp(self.log_scale[n:])], 1)
            return y, self.log_scale.sum().expand(len(x))
    """
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert after(fix)
    assert fix is not None
    x = torch.randn(3, 4)
    _, ldj = loaded(mended(path, fix))(x)
    assert ldj.shape == (3,)


PLACES = {
    "a factory's closure": (
        """
        def make(scale):
            log = math.log(scale)

            class Layer(nn.Module):
                def forward(self, x):
                    return x * scale, torch.full((len(x),), log)

            return Layer()
        """,
        "make(2.5)",
    ),
    "a parent's method, reached by super": (
        """
        class Base(nn.Module):
            def forward(self, x):
                return x * 2.5, torch.full((len(x),), math.log(2.5))

        class Layer(Base):
            def forward(self, x):
                return super().forward(x)
        """,
        "Layer()",
    ),
    "a method that calls super itself": (
        """
        class Base(nn.Module):
            def forward(self, x):
                return x

        class Layer(Base):
            def forward(self, x):
                return super().forward(x) * 2.5, torch.full((len(x),), math.log(2.5))
        """,
        "Layer()",
    ),
    "a submodule": (
        """
        class Inner(nn.Module):
            def forward(self, x):
                return x * 2.5, torch.full((len(x),), math.log(2.5))

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def forward(self, x):
                return self.inner(x)
        """,
        "Layer()",
    ),
    "a property": (
        """
        class Layer(nn.Module):
            @property
            def ldj(self):
                return math.log(2.5)

            def forward(self, x):
                return x * 2.5, torch.zeros(len(x)) + self.ldj
        """,
        "Layer()",
    ),
    "a decorated method": (
        """
        import functools

        def logged(function):
            @functools.wraps(function)
            def inner(*args):
                return function(*args)
            return inner

        class Layer(nn.Module):
            @logged
            def forward(self, x):
                return x * 2.5, torch.full((len(x),), math.log(2.5))
        """,
        "Layer()",
    ),
    "a lambda": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.f = lambda x: (x * 2.5, torch.full((len(x),), math.log(2.5)))

            def forward(self, x):
                return self.f(x)
        """,
        "Layer()",
    ),
    "a helper at module level": (
        """
        def ldj_of(x):
            return torch.full((len(x),), math.log(2.5))

        class Layer(nn.Module):
            def forward(self, x):
                return x * 2.5, ldj_of(x)
        """,
        "Layer()",
    ),
    "a function inside the method": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                def ldj_of(x):
                    return torch.full((len(x),), math.log(2.5))
                return x * 2.5, ldj_of(x)
        """,
        "Layer()",
    ),
    "a statement of several lines": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.full(
                    (len(x),),
                    math.log(2.5),  # of one dim
                )
                return x * 2.5, ldj
        """,
        "Layer()",
    ),
    "one of several statements on a line": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                y = x * 2.5; ldj = torch.full((len(x),), math.log(2.5)); return y, ldj
        """,
        "Layer()",
    ),
    "tabs and letters of two bytes": (
        """
        class Layer(nn.Module):
        \tdef forward(self, x):
        \t\ty, ldj = x * 2.5, torch.full((len(x),), math.log(2.5))  # größer
        \t\tλ = "é"; return y, ldj
        """,
        "Layer()",
    ),
    "a private name": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return x * 2.5, torch.full((len(x),), self.__log())

            def __log(self):
                return math.log(2.5)
        """,
        "Layer()",
    ),
}


@pytest.mark.thinned(15)
@pytest.mark.parametrize("name", PLACES)
def test_a_fix_is_found_wherever_the_mistake_stands(name: str, tmp_path: Path) -> None:
    text, expression = PLACES[name]
    path = written(text, tmp_path)
    fix = fix_of(loaded(path, expression))
    assert fix is not None
    assert fix.applicability == "verified"
    report = ldjcheck.check(loaded(mended(path, fix), expression), shape=(4,))
    assert report.status == "pass", report


def test_a_busy_machine_finds_the_same_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, expected = MISTAKES["mean"]
    layer = built(text, tmp_path)
    hours = itertools.count(0.0, 3600.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(hours))
    assert after(fix_of(layer)) == expected


@pytest.mark.slow
def test_nothing_of_the_user_is_changed_by_trying(tmp_path: Path) -> None:
    path = written(MISTAKES["both directions"][0], tmp_path)
    text = path.read_bytes()
    layer = loaded(path)
    members, code = dict(vars(type(layer))), type(layer).forward.__code__
    assert fix_of(layer) is not None
    assert dict(vars(type(layer))) == members
    assert type(layer).forward.__code__ is code
    assert path.read_bytes() == text


@pytest.mark.slow
def test_a_term_that_is_no_derivative_is_mended_by_the_true_one(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def forward(self, x):
            return torch.sinh(x), torch.log(1.3 + torch.cos(x)).sum(dim=1)
    """
    assert after(fix_of(built(text, tmp_path))) == [
        "return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1)"
    ]


def test_source_that_is_not_what_runs_is_not_edited(tmp_path: Path) -> None:
    path = written(MISTAKES["mean"][0], tmp_path)
    layer = loaded(path)
    path.write_text(path.read_text().replace("sinh", "tanh"))
    assert fix_of(layer) is None


def test_source_of_a_notebook_cell_is_edited_too() -> None:
    """A cell's text is in `linecache` under a name that is no file."""
    import linecache

    name = "<cell 7>"
    text = (
        "import torch\nclass Layer(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x.sinh(), torch.log(torch.cosh(x)).mean(dim=1)\n"
    )
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), scope)
    fix = fix_of(scope["Layer"]())
    assert after(fix) == ["return x.sinh(), torch.log(torch.cosh(x)).sum(dim=1)"]
    assert fix is not None
    assert [edit.file for edit in fix.edits] == [name]


def test_a_layer_of_this_very_file_is_mended() -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.sinh(), torch.log(torch.cosh(x)).mean(dim=1)

    fix = fix_of(Layer())
    assert after(fix) == ["return x.sinh(), torch.log(torch.cosh(x)).sum(dim=1)"]
    assert fix is not None
    line = inspect.getsourcelines(
        sys.modules[__name__].__dict__["test_a_layer_of_this_very_file_is_mended"]
    )[1]
    assert fix.edits[0].line == line + 3


MISSING = {
    "of a constant step": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                ldj = torch.log(torch.cosh(x)).sum(dim=1)
                y = torch.sinh(x)
                y = y * 2.5
                return y, ldj
        """,
        "math.log(2.5) * math.prod(x.shape[1:])",
    ),
    "of the way back, as the way there has it": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, z, ldj, reverse=False):
                if not reverse:
                    z = z * self.log_scale.exp()
                    ldj = ldj + self.log_scale.sum()
                    z = z * 3
                    ldj = ldj + math.log(3) * z[0].numel()
                else:
                    z = z / 3
                    ldj = ldj - math.log(3) * z[0].numel()
                    z = z / self.log_scale.exp()
                return z, ldj
        """,
        "ldj = ldj - self.log_scale.sum()",
    ),
    "worked out, and not used": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, x):
                scale = self.s.sum()
                x = x * self.s.exp()
                bend = torch.log(torch.cosh(x)).sum(dim=1)
                return torch.sinh(x), bend
        """,
        "bend + scale",
    ),
    "of a sublayer, thrown away": (
        """
        class Scale(nn.Module):
            def forward(self, x):
                return x * 2.5, torch.full((len(x),), math.log(2.5)) * x[0].numel()

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = Scale()

            def forward(self, x):
                ldj = torch.log(torch.cosh(x)).sum(dim=1)
                y, _ = self.scale(torch.sinh(x))
                return y, ldj
        """,
        "scale_ldj",
    ),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", MISSING)
def test_a_term_that_is_missing_is_added(name: str, tmp_path: Path) -> None:
    text, expected = MISSING[name]
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert expected in "\n".join(after(fix))
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert not [f for f in report.findings if f.severity == "error"], report


CUT = {
    "detach": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, x):
                ldj = self.log_scale.detach().sum()
                return x * self.log_scale.exp(), ldj.expand(len(x))
        """,
        ["ldj = self.log_scale.sum()"],
    ),
    "no_grad": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, x):
                with torch.no_grad():
                    ldj = self.log_scale.sum()
                    ldj = ldj.expand(len(x))
                return x * self.log_scale.exp(), ldj
        """,
        ["ldj = self.log_scale.sum()", "ldj = ldj.expand(len(x))", ""],
    ),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", CUT)
def test_what_cuts_the_gradient_is_taken_away(name: str, tmp_path: Path) -> None:
    text, expected = CUT[name]
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert after(fix) == expected
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert report.status == "pass", report


@pytest.mark.slow
def test_a_total_that_is_overwritten_is_added_to(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def forward(self, z, ldj, reverse=False):
            if reverse:
                return z / 3, ldj - math.log(3) * z[0].numel()
            ldj = torch.full((len(z),), math.log(3)) * z[0].numel()
            return z * 3, ldj
    """
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert after(fix) == [
        "ldj = ldj + torch.full((len(z),), math.log(3)) * z[0].numel()"
    ]
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert report.status == "pass", report


@pytest.mark.slow
def test_an_edit_after_which_no_gradient_can_be_asked_for_is_no_fix(
    tmp_path: Path,
) -> None:
    """Without `detach`, NumPy refuses a tensor that wants its gradient."""
    text = """
    import numpy as np

    class Layer(nn.Module):
        def forward(self, x):
            known = x.detach().numpy()
            y = torch.from_numpy(np.sinh(known))
            return y, torch.from_numpy(np.log(np.cosh(known)).sum(1))
    """
    report = ldjcheck.check(loaded(written(text, tmp_path)), shape=(4,))
    (finding,) = report.findings
    assert (finding.code, finding.fix) == ("LDJ210", None)


@pytest.mark.slow
def test_a_number_is_taken_away_rather_than_a_count_that_never_varies(
    tmp_path: Path,
) -> None:
    """At a height of 2 throughout, `* z.size(3)` would do as well on the last line."""
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.groups = 2
            self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1))

        def forward(self, z):
            ldj = 2 * torch.sum(self.log_scale)
            ldj = ldj * z.size(2) * z.size(3)
            return z * self.log_scale.exp(), ldj.expand(len(z))
    """
    fix = fix_of(loaded(written(text, tmp_path)), shape=(3, 2, 5))
    assert after(fix) == ["ldj = torch.sum(self.log_scale)"]


@pytest.mark.slow
def test_a_logarithm_is_taken_so_that_gradients_pass(tmp_path: Path) -> None:
    """The line has `np.log`, which would do for the numbers alone."""
    text = """
    import numpy as np

    class Layer(nn.Module):
        def forward(self, x):
            y = torch.atan(x) / np.pi + 0.5
            ldj = -np.log(np.pi) - (1 + x**2)
            return y, ldj.sum(1)
    """
    fix = fix_of(loaded(written(text, tmp_path)))
    assert after(fix) == ["ldj = -np.log(np.pi) - torch.log(1 + x**2)"]


IN_SEVERAL_STATEMENTS = {
    "signs of one branch": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Linear(2, 4)
                self.g = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, z, ldj, reverse=False):
                if reverse:
                    a, b = z.chunk(2, 1)
                    s, t = self.net(a).chunk(2, 1)
                    z = torch.cat([a, (b - t) * torch.exp(-s)], 1)
                    ldj = ldj + s.sum(1)
                    z = z / self.g.exp()
                    ldj = ldj + self.g.sum()
                else:
                    z = z * self.g.exp()
                    ldj = ldj + self.g.sum()
                    a, b = z.chunk(2, 1)
                    s, t = self.net(a).chunk(2, 1)
                    z = torch.cat([a, b * s.exp() + t], 1)
                    ldj = ldj + s.sum(1)
                return z, ldj
        """,
        ["ldj = ldj - s.sum(1)", "ldj = ldj - self.g.sum()"],
    ),
    "a mean over the batch behind the sum": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return torch.sinh(x), torch.log(torch.cosh(x)).sum(dim=1).mean()

            def inverse(self, y):
                x = torch.asinh(y)
                return x, -torch.log(torch.cosh(x)).sum(dim=1).mean()
        """,
        [
            "return torch.sinh(x), torch.log(torch.cosh(x)).flatten(1).sum(dim=1)",
            "return x, -torch.log(torch.cosh(x)).flatten(1).sum(dim=1)",
        ],
    ),
    "a total that starts anew": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, z, ldj):
                ldj = torch.zeros(z.shape[0])
                z = z * self.s.exp()
                ldj = ldj + self.s.sum()
                return z, ldj
        """,
        [""],
    ),
    "a total that is overwritten by a negative": (
        """
        class Layer(nn.Module):
            def forward(self, z, logdet):
                return torch.asinh(z), -0.5 * torch.log(1 + z**2).sum(1)
        """,
        ["return torch.asinh(z), logdet - 0.5 * torch.log(1 + z**2).sum(1)"],
    ),
    "a total that a call overwrites": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))
                self.second = nn.Parameter(torch.tensor([-0.1, 0.5, 0.2, 0.3]))

            def bent(self, x, s):
                x = x * s.exp()
                return torch.asinh(x), (s - 0.5 * torch.log1p(x**2)).sum(-1)

            def forward(self, x):
                x, total = self.bent(x, self.first)
                x, total = self.bent(x, self.second)
                return x, total
        """,
        [
            "x, step_total = self.bent(x, self.second)\n"
            "        total = total + step_total"
        ],
    ),
    "a sum over samples that have one number each": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                per_sample = torch.log(torch.cosh(x)).sum(dim=1)
                return torch.sinh(x), torch.sum(per_sample, dim=0)
        """,
        ["return torch.sinh(x), per_sample"],
    ),
    "one sign for both directions": (
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, z, ldj, reverse=False):
                z = z / self.s.exp() if reverse else z * self.s.exp()
                ldj = ldj + self.s.sum()
                return z, ldj
        """,
        ["ldj = ldj + (-self.s.sum() if reverse else self.s.sum())"],
    ),
    "a count that is taken on another line": (
        """
        class Layer(nn.Module):
            alpha = 0.05

            def forward(self, z, ldj):
                z = z * (1 - self.alpha)
                count = math.prod(z.size()[0:])
                return z, ldj + math.log(1 - self.alpha) * count
        """,
        None,
    ),
    "a power's factor in a derivative": (
        """
        class Layer(nn.Module):
            def forward(self, x):
                return x + x**3 / 5, torch.log(1 + x**2 / 5).sum(1)
        """,
        ["return x + x**3 / 5, torch.log(1 + 3 * x**2 / 5).sum(1)"],
    ),
    "a sum that is missing behind a helper": (
        """
        class Layer(nn.Module):
            def bent(self, x):
                y = torch.sinh(x)
                return y, 0.5 * torch.log1p(y**2)

            def forward(self, x):
                y, ldj = self.bent(x)
                return y, ldj
        """,
        None,
    ),
    "an ldj that is thrown away": (
        """
        class Scale(nn.Module):
            def __init__(self):
                super().__init__()
                self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))

            def forward(self, x):
                return x * self.s.exp(), self.s.sum().expand(len(x))

        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = Scale(), Scale()

            def forward(self, x):
                x, _ = self.first(x)
                x = torch.sinh(x)
                x, ldj = self.second(x)
                return x, ldj + 0.5 * torch.log(1 + (x / self.second.s.exp())**2).sum(1)
        """,
        None,
    ),
}


def test_a_determinant_that_underflows_is_never_taken(tmp_path: Path) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(1e-90 * torch.eye(4, dtype=torch.float64))

        def forward(self, x):
            logdet = torch.log(torch.abs(torch.det(self.weight)))
            return x @ self.weight, logdet.expand(len(x))
    """
    report = ldjcheck.check(loaded(written(text, tmp_path)), params="as-is")
    assert report.findings[0].name == "non-finite"
    assert after(report.findings[0].fix) == ["logdet = torch.slogdet(self.weight)[1]"]


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_SEVERAL_STATEMENTS)
def test_what_several_statements_say_is_mended_where_it_stands(
    name: str, tmp_path: Path
) -> None:
    text, expected = IN_SEVERAL_STATEMENTS[name]
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    lines = after(fix)
    assert expected is None or lines == expected
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert not [f for f in report.findings if f.severity == "error"], report


@pytest.mark.slow
def test_a_mask_that_the_function_makes_and_does_not_use_is_used(
    tmp_path: Path,
) -> None:
    text = """
    class Layer(nn.Module):
        def __init__(self, slope=0.1):
            super().__init__()
            self.slope = slope

        def forward(self, x):
            y = torch.where(x < 0, self.slope * x, x)
            mask = (x < 0).to(x)
            logabsdet = math.log(self.slope) * torch.ones_like(x)
            return y, logabsdet.sum(1)
    """
    path = written(text, tmp_path)
    fix = fix_of(loaded(path))
    assert any("mask" in line for line in after(fix))
    assert fix is not None
    report = ldjcheck.check(loaded(mended(path, fix)), shape=(4,))
    assert report.status == "pass", report


@pytest.mark.slow
def test_a_name_that_begins_with_log_is_no_logarithm(tmp_path: Path) -> None:
    layer = built(
        """
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.log_scale = nn.Parameter(torch.tensor([0.4, -0.2, 0.3, 0.5]))

            def one_step(self, x):
                y = torch.sinh(x * self.log_scale.exp())
                return y, (self.log_scale + 0.5 * torch.log1p(y**2)).sum(-1)

            def forward(self, x):
                x, log_diff = self.one_step(x)
                x, log_diff = self.one_step(x)
                return x, log_diff
        """,
        tmp_path,
    )
    report = ldjcheck.check(layer, shape=(4,))
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ110"]


@pytest.mark.parametrize(
    ("operand", "inner"),
    [
        ("log(256)", "256"),
        ("log|1 - self.alpha|", "1 - self.alpha"),
        ("log((1 + a) * b)", "(1 + a) * b"),
        ("log_scale + torch.log(y)", None),
        ("log(a) + log(b)", None),
        ("logits", None),
    ],
)
def test_only_a_whole_logarithm_is_the_logarithm_of_something(
    operand: str, inner: str | None
) -> None:
    assert _logged(operand) == inner
