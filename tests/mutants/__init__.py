"""Faults planted in the package itself: which of them do the default tests see?"""
