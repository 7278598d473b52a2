"""Tests of the probes: shapes, domains, batches and draws."""
