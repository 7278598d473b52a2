"""Kinds of layers: estimators, integrators, splits, injections."""
