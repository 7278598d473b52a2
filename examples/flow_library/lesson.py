"""A test that fails on purpose: run `pytest lesson.py` to see what a mistake looks like."""

import math

from flowlib import Whiten

from ldjcheck import assert_ldj


class Hasty(Whiten):
    """Counts log(deviation) once, where it belongs to each entry."""

    def forward(self, x):
        """Return `y` and a wrong ldj."""
        ldj = x.new_zeros(len(x))
        ldj = ldj - math.log(self.deviation)
        return (x - self.mean) / self.deviation, ldj


def test_hasty():
    """Fail, and show what a mistake looks like."""
    assert_ldj(Hasty(), shape=(1, 4, 4))
