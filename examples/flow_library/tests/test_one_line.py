"""The shortest way: one line in a test, with or without the fixture."""

import unittest

import pytest
from flowlib import Affine, Coupling, Shuffle, Whiten

import ldjcheck


def test_affine():
    ldjcheck.assert_ldj(Affine(5), shape=(5,))


def test_coupling_with_the_settings_of_the_session(ldj):
    report = ldj.assert_ok(Coupling(4), shape=(4,))
    assert report.run.seed == ldj.seed == 1


@pytest.mark.ldj(shape=(2, 3, 5), domain="unit")
class TestImages:
    """Options that all tests of a class share stand in a mark."""

    def test_whiten(self, ldj):
        ldj.assert_ok(Whiten())

    @pytest.mark.ldj(seed=7, batch=4)
    def test_another_seed(self, ldj):
        report = ldj.assert_ok(Whiten())
        assert len(report.checks[0].samples) == 4


def test_a_report_can_be_looked_at(ldj):
    report = ldj.check(Shuffle(4), shape=(4,))
    assert report.status == "pass"
    assert [sample.exact for sample in report.checks[0].samples] == [0.0] * 3


def test_nothing_proved_is_no_pass_unless_a_reason_is_given(ldj):
    with pytest.raises(ldjcheck.LdjUnproven):
        ldj.assert_ok(Coupling(4), shape=(4,), params="as-is")
    ldj.assert_ok(
        Coupling(4), shape=(4,), params="as-is", allow_unproven="starts as identity"
    )


class TestCase(unittest.TestCase):
    """Tests in the style of unittest."""

    def test_affine(self):
        ldjcheck.assert_ldj(Affine(3), shape=(3,))
