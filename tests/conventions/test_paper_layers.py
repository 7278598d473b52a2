"""Layers as papers and tutorials write them: right ones pass, each slip is named."""

from __future__ import annotations

import pytest
import torch

import ldjcheck
from conventions.paper_layers import LAYERS


@pytest.mark.thinned(7)
@pytest.mark.parametrize("name", LAYERS)
def test_a_right_layer_passes_and_its_convention_is_told(name: str) -> None:
    build, options, convention, _ = LAYERS[name]
    torch.manual_seed(0)
    report = ldjcheck.check(build(), **options)
    assert report.status == "pass", report
    assert report.result.convention == convention
    assert {f.code for f in report.findings if f.severity != "note"} <= {"LDJ303"}


@pytest.mark.thinned(28)
@pytest.mark.parametrize("name", LAYERS)
def test_its_slip_is_named(name: str) -> None:
    build, options, convention, codes = LAYERS[name]
    torch.manual_seed(0)
    layer = build()
    layer.slip = True
    report = ldjcheck.check(layer, **options)
    assert report.status == "fail", report
    assert report.result.convention == convention
    errors = [f.code for f in report.findings if f.severity == "error"]
    assert errors[0] in codes, report
