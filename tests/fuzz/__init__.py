"""Layers, targets, options and settings that nobody would write, all in combination.

`python -m tests.fuzz --cases N --seed S` runs N of them, each in a process of its own.
"""
