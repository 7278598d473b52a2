"""The fixed words of the records, and the shape of an event."""

from typing import Literal

Direction = Literal["forward", "inverse"]
Severity = Literal["error", "unproven", "warning", "note"]
Status = Literal["pass", "fail", "unproven", "error"]
CheckName = Literal["ldj", "round-trip", "contract", "gradient"]
CheckStatus = Literal["pass", "fail", "unproven", "not-available", "error"]
Method = Literal[
    "reverse", "reverse-looped", "forward", "differences", "preimage", "given",
    "products", "composition",
]  # fmt: skip
Structure = Literal[
    "identity", "permutation", "diagonal", "triangular", "block", "low-rank", "dense"
]
Kind = Literal["bijection", "dequantization", "split", "flow", "model"]
Wrt = Literal["input", "noise"]
Shape = tuple[int, ...]
Region = Literal["usual", "near", "far", "plus", "minus"]

Instead = Literal["split", "nothing", "volume", "chart", "centred"]
"""What stands in for log|det J| of a map that changes the number of dims."""
