"""Targets: from what the user typed to an object that can be checked.

`parse_target` takes the text apart, `load_layer` imports the source and evaluates the
expression. Loading changes `sys.path` and `sys.modules`, as importing does; who loads in
a process that goes on puts the path back.
"""

from ldjcheck.targets.discovery import Survey
from ldjcheck.targets.load import find_layers, load_layer, load_source, seed_all
from ldjcheck.targets.sources import parse_target
from ldjcheck.targets.static_check import trouble_ahead
from ldjcheck.targets.typed import as_targets, refused

__all__ = [
    "Survey", "as_targets", "find_layers", "load_layer", "load_source", "parse_target",
    "refused", "seed_all", "trouble_ahead",
]  # fmt: skip
