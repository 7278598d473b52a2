"""What a failing check costs, beside the check of the right twin."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

import ldjcheck
from mistakes.diagnosis.test_ledger import example

ROUNDS = 9


def seconds(layer: Any) -> float:
    started = time.process_time()
    ldjcheck.check(layer, shape=(1, 4, 4))
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NoDimsFactor", "LogitSign", "InverseWithoutAlpha"])
def test_a_failing_check_takes_at_most_five_times_the_check_of_its_twin(
    name: str,
) -> None:
    wrong = example("dequantization_mistakes", name)
    right = example("dequantization", "Dequantization")
    seconds(right), seconds(wrong)  # what is loaded on first use counts for neither
    gc.collect()
    gc.freeze()  # nor do all objects that other tests have left to be looked through
    try:
        pairs = [(seconds(right), seconds(wrong)) for _ in range(ROUNDS)]
    finally:
        gc.unfreeze()
    # What runs beside it only adds: the least of each is what a check takes by itself.
    passing, failing = (min(column) for column in zip(*pairs, strict=True))
    print(
        f"{name}: right {passing:.3f} s, wrong {failing:.3f} s, {failing / passing:.1f}x"
    )
    assert failing <= 5 * passing
