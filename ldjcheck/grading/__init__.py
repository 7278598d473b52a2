"""Grading a class: each submission confined, judged from outside, and told what helps.

Nothing here imports torch but what runs in the confined processes.
"""
