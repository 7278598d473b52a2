"""Targets: from what the user typed to an object that can be checked.

`parse_target` takes the text apart, `load_layer` imports the source and evaluates the
expression. Loading changes `sys.path` and `sys.modules`, as importing does.
"""

from __future__ import annotations

from ldjcheck.targets.load import SOURCE_KINDS, find_layers, load_layer, load_source
from ldjcheck.targets.parse import parse_target
from ldjcheck.targets.source import Source, SourceKind
from ldjcheck.targets.survey import Survey

__all__ = [
    "SOURCE_KINDS",
    "Source",
    "SourceKind",
    "Survey",
    "find_layers",
    "load_layer",
    "load_source",
    "parse_target",
]
