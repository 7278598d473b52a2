"""LDJ005: the layer raised an exception, or ended its process."""

from __future__ import annotations

from ldjcheck.mistakes.catalogue.page import Example, Page
from ldjcheck.mistakes.catalogue.rule import Rule

PAGE = Page(
    what="""
        The layer raised an exception while it was built or run, or ended its process.
        Only its own lines are shown, with the input that did it.
        """,
    example=Example(
        source="""
            from torch import nn

            class Scale(nn.Module):
                # Multiply by a parameter that was never made.
                def forward(self, x):
                    scale = self.log_scale.exp()
                    return x * scale, scale.log().sum()
            """,
        command="ldjcheck flow.py:Scale --shape 4",
        prints="""
            The layer raised AttributeError: 'Scale' object has no attribute 'log_scale'
            ...
                scale = self.log_scale.exp()
            ...
            AttributeError: 'Scale' object has no attribute 'log_scale'
            input: shape (4,), domain real
            """,
    ),
    todo="""
        If the input is at fault, give one that the layer takes: `--shape`, `--domain`,
        `--context`. Else mend the layer. What the other direction showed stands.
        """,
    confused=(
        ("LDJ006", "every input that was tried raises"),
        ("LDJ001", "the file raises when it is imported"),
    ),
)

RULE = Rule(
    code="LDJ005",
    name="layer-raised",
    severity="error",
    summary="raised an exception, or exited",
    page=PAGE,
)
