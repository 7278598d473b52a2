"""What people see first: said in any words, it leads to the mistake that shows so.

For each symptom a layer of the zoo shows it, in numbers, and its sound twin does not; the
mistake that is in that layer (which the tests of the zoo check) is suspected first.
"""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from click.testing import CliRunner

from ldjcheck.classroom.judging import built
from ldjcheck.classroom.symptoms import SYMPTOMS, symptoms_for
from ldjcheck.classroom.zoo import animal_called
from ldjcheck.cli import main
from ldjcheck.mistakes import rule_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

TITLES = [symptom.title for symptom in SYMPTOMS]


def normal(z: Tensor) -> Tensor:
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def batch(*shape: int, count: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def likelihood_of_grey(layer: Any) -> Tensor:
    """Return log P of an image of whole numbers, all of them in the middle."""
    torch.manual_seed(0)
    z, ldj = layer(torch.full((1, 1, 8, 8), 7.5).floor(), torch.zeros(1))
    return normal(z) + ldj


def bits_of_uniform(layer: Any) -> Tensor:
    """Return bits per dimension over 256 levels, where the base is uniform at the end."""
    x = torch.rand((1, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    z = torch.logit(x.double()).float()
    ldj = -(torch.log(x) + torch.log(1 - x)).flatten(1).sum(1)
    z, ldj = layer(z, ldj)
    base = (-z - 2 * torch.nn.functional.softplus(-z)).flatten(1).sum(1)
    return -(base + ldj - 16 * math.log(256)) / (16 * math.log(2))


def loss_of(layer: Any, x: Tensor) -> Tensor:
    y, ldj = layer(x)
    return -(normal(y) + ldj).mean()


def falls_without_end(layer: Any) -> bool:
    x, losses = batch(4), []
    for log_a in (-10.0, -20.0, -40.0):
        with torch.no_grad():
            layer.log_a.fill_(log_a)
        losses.append(float(loss_of(layer, x)))
    return losses[0] > losses[1] > losses[2]


def rises_in_training(layer: Any) -> bool:
    x = batch(4, count=64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    first = float(loss_of(layer, x))
    for _ in range(300):
        optimizer.zero_grad()
        loss_of(layer, x).backward()
        optimizer.step()
    return float(loss_of(layer, x)) > first


def round_trip(layer: Any, x: Tensor) -> float:
    return float((layer.inverse(layer(x)[0])[0] - x).abs().max())


def per_dim(layer: Any, *shape: int) -> float:
    x = batch(*shape)
    return float(layer(x, torch.zeros(3))[1][0] / x[0].numel())


# --- for each symptom: the layer, what it shows, and that its twin does not ---------------

SHOWN: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Bits per dimension below 0": (
        "QuantsCountedOnce",
        lambda layer: -float(likelihood_of_grey(layer)) / (64 * math.log(2)) < 0,
    ),
    "Bits per dimension stuck at 8": (
        "ZeroInitialised",
        lambda layer: math.isclose(float(bits_of_uniform(layer)), 8.0, abs_tol=1e-5),
    ),
    "The loss is NaN": (
        "FixedLinearSigned",
        lambda layer: bool(layer(batch(3))[1].isnan().any()),
    ),
    "A likelihood above 1": (
        "QuantsCountedOnce",
        lambda layer: float(likelihood_of_grey(layer).exp()) > 1,
    ),
    "Samples look good, but the bits are wrong": (
        "ScalingCountedOnce",
        lambda layer: (
            round_trip(layer, batch(4)) < 1e-6
            and not math.isclose(float(layer(batch(4))[1][0]), 4 * 0.4, abs_tol=1e-5)
        ),
    ),
    "The likelihood looks good, but samples do not": (
        "ScalingInverseMultiplies",
        lambda layer: round_trip(layer, batch(4)) > 1,
    ),
    "Training and evaluation differ": (
        "CentredByTheBatch",
        lambda layer: (
            not torch.allclose(
                layer(batch(4))[0][0],
                layer(torch.cat([batch(4)[:1], batch(4, seed=1)]))[0][0],
            )
        ),
    ),
    "The loss falls without end": ("ScalingTurnedAround", falls_without_end),
    "The loss is flat": (
        "CutByItem",
        lambda layer: not layer(batch(4))[1].requires_grad,
    ),
    "The loss rises while training goes on": ("CutGradient", rises_in_training),
    "The inverse explodes": (
        "SlantedTooFar",
        lambda layer: float(torch.linalg.inv(layer.weight).abs().max()) > 1e9,
    ),
    "The loss depends on the batch size": (
        "CouplingOverTheBatch",
        lambda layer: (
            not torch.allclose(
                layer(batch(1, 2, 3), torch.zeros(3))[1][0],
                layer(batch(1, 2, 3)[:2], torch.zeros(2))[1][0],
            )
        ),
    ),
    "The bits change with the size of the image": (
        "ActNormPerChannel",
        lambda layer: (
            not math.isclose(
                per_dim(layer, 2, 2, 2), per_dim(layer, 2, 8, 8), abs_tol=1e-5
            )
        ),
    ),
    "More layers do not change the likelihood": (
        "StartsAnew",
        lambda layer: torch.equal(
            layer(batch(4), torch.zeros(3))[1], layer(batch(4), torch.ones(3))[1]
        ),
    ),
    "The loss has the wrong shape": (
        "ChunkColumn",
        lambda layer: (torch.zeros(3) + layer(batch(6))[1]).shape == (3, 3),
    ),
    "The same input gives another answer": (
        "DropoutScale",
        lambda layer: any(
            not torch.equal(layer(batch(4))[1], layer(batch(4))[1]) for _ in range(9)
        ),
    ),
    "The round trip works, and the likelihood is still wrong": (
        "ScalingCountedOnce",
        lambda layer: (
            round_trip(layer, batch(4)) < 1e-6
            and not math.isclose(float(layer(batch(4))[1][0]), 4 * 0.4, abs_tol=1e-5)
        ),
    ),
}


def test_every_symptom_is_shown_by_a_layer() -> None:
    assert list(SHOWN) == TITLES


@pytest.mark.parametrize("title", TITLES)
def test_a_layer_that_shows_it_has_the_mistake_that_is_suspected_first(
    title: str,
) -> None:
    name, shows = SHOWN[title]
    animal = animal_called(name)
    (symptom, *_) = symptoms_for(title)
    assert symptom.title == title
    assert symptom.suspects[0].code == animal.code
    assert shows(built(animal.layer))
    assert animal.twin is not None
    if animal.code not in ("LDJ401",):  # its twin is the same layer with other weights
        assert not shows(built(animal.twin.layer))


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title"),
    [(text, s.title) for s in SYMPTOMS for text in (s.title, *s.also)]
    + [
        ("negative bits per dimension", TITLES[0]),
        ("why is my BPD < 0?!", TITLES[0]),
        ("stuck at 8", TITLES[1]),
        ("bits per dimention stuk at eight", TITLES[1]),
        ("NaN loss", TITLES[2]),
        ("lossis nan", TITLES[2]),
        ("likelihood above 1", TITLES[3]),
        ("log prob > 1", TITLES[3]),
        ("samples good but bits wrong", TITLES[4]),
        ("generated pictures are fine, bpd is off", TITLES[4]),
        ("train and eval differ", TITLES[6]),
        ("my validation nll is different from the training nll", TITLES[6]),
        ("loss falls without end", TITLES[7]),
        ("loss flat", TITLES[8]),
        ("inverse explodes", TITLES[10]),
    ],
)
def test_other_words_for_it_lead_there(text: str, title: str) -> None:
    assert symptoms_for(text)[0].title == title


@pytest.mark.parametrize("text", ["", "?!", "of the and", "cooking pasta", "xyzzy 42"])
def test_what_is_no_symptom_leads_nowhere(text: str) -> None:
    assert symptoms_for(text) == ()


def test_suspects_are_rules_each_once_and_the_order_says_something() -> None:
    for symptom in SYMPTOMS:
        codes = [suspect.code for suspect in symptom.suspects]
        assert len(codes) == len(set(codes)) >= 3
        assert all(rule_for(code) is not None for code in codes)


# --- the command --------------------------------------------------------------------------


@pytest.mark.parametrize("title", TITLES)
def test_a_page_fits_the_screen_and_says_what_to_run(title: str) -> None:
    result = CliRunner().invoke(main, ["explain", "--symptom", title])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 30
    assert lines[0] == title
    likeliest = rule_for(symptoms_for(title)[0].suspects[0].code)
    assert likeliest is not None
    for command in (
        "ldjcheck your_file.py:YourLayer",
        f"ldjcheck demo {likeliest.name}",
    ):
        assert command in result.output


def test_what_is_not_known_lists_what_is() -> None:
    result = CliRunner().invoke(main, ["explain", "--symptom", "cooking pasta"])
    assert result.exit_code == 2
    assert all(title in result.output for title in TITLES)


def test_either_a_mistake_or_a_symptom_is_wanted() -> None:
    for words in (["explain"], ["explain", "LDJ101", "--symptom", "nan"]):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert "say what you see" in result.output


def test_torch_is_not_loaded() -> None:
    program = (
        "import sys; from ldjcheck.cli import main\n"
        "main(['explain', '--symptom', 'nan loss'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
