"""The terms themselves: formulas of values, their derivatives, and log|det| of them."""
