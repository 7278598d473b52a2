"""Verdict, code and line stay when a layer is rewritten and does what it did."""
