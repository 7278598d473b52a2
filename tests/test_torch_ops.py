"""The table of operations: each stands there once, and what it says of them is true."""

import re
from pathlib import Path

import pytest
import torch

import ldjcheck
from ldjcheck.torch_ops import OPERATIONS, UNDOES, heard_as, named, operation


def test_a_name_stands_for_one_operation():
    names = [name for op in OPERATIONS for name in op.names.split()]
    assert len(names) == len(set(names))


def test_what_the_table_says_of_an_operation_is_asked_somewhere():
    package = Path(ldjcheck.__file__).parent
    sources = "".join(path.read_text() for path in package.rglob("*.py"))
    asked = set(re.findall(r"\b(?:named|_plain)\(\"([a-z-]+)\"\)", sources))
    assert asked == {word for op in OPERATIONS for word in op.families.split()}


def test_no_family_is_asked_for_in_vain():
    with pytest.raises(ValueError, match="'multipy'"):
        named("multipy")


@pytest.mark.parametrize(("name", "inverse"), UNDOES.items())
def test_an_inverse_undoes_its_operation(name, inverse):
    x = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    there = getattr(torch, name)(x)
    torch.testing.assert_close(getattr(torch, inverse)(there), x)


def test_an_operation_is_one_under_all_its_names():
    assert set(operation("add").plain_names) == {"add", "radd"}
    assert operation("cosh").in_math
    assert operation("erf").plain_names == ["erf"]  # which the table need not list


@pytest.mark.parametrize(
    ("function", "heard"),
    [
        (torch.linalg.slogdet, "slogdet"),
        (torch.linalg.matmul, "matmul"),
        (torch.special.log1p, "log1p"),
        (torch.special.expit, "expit"),
        (torch.linalg.inv, "linalg_inv"),  # by the name that the table has
        (torch.special.erf, "special_erf"),  # of which it says nothing
    ],
)
def test_a_function_of_a_module_is_heard_by_the_name_in_the_table(function, heard):
    assert heard_as(function.__name__) == heard
