"""When the user began to wait: the seconds of a report include loading torch."""

BEGAN = "ldjcheck.began"
"""The key of the context's `meta` that holds it, as `time.perf_counter()` tells it."""
