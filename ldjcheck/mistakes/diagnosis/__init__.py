"""Diagnosis: from traces of a wrong ldj to the edit that would put it right.

Nothing here runs the layer or names a mistake: it finds edits, and the rules name them.
"""

from ldjcheck.mistakes.contract.stale_cache.as_built import (
    explained_as_built,
    is_unexplained,
)
from ldjcheck.mistakes.diagnosis.diagnose import diagnose_traces, trace_ledger
from ldjcheck.mistakes.engine.laws import diagnose_estimate
from ldjcheck.mistakes.engine.sublayers import Blamed, blame_sublayers, sublayer_lines

__all__ = [
    "Blamed",
    "blame_sublayers",
    "diagnose_estimate",
    "diagnose_traces",
    "explained_as_built",
    "is_unexplained",
    "sublayer_lines",
    "trace_ledger",
]
