"""The exception that means: this target could not be checked (LDJ0xx), and a cause."""

from collections.abc import Callable

LAYERS_OWN = (Exception, SystemExit, GeneratorExit)
"""What code of the user's may raise, as its own fault; a Ctrl-C is whoever's typed it."""


class CannotCheckError(Exception):
    """A target cannot be checked, with everything that the user needs to act on it.

    `code` is one of LDJ001 to LDJ007, `message` one sentence in plain words, and
    `evidence` the lines under it: the user's own traceback, what was tried, and at the
    end what to type next. The exception never crosses the public interface: it becomes
    a finding of severity `error` and the status `error`.
    """

    def __init__(self, code: str, message: str, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.evidence = evidence


class CommentError(ValueError):
    """A comment in the user's source asks for what cannot be."""


class NoBaseError(TypeError):
    """A model ran, and the density of its z was seen nowhere on the way.

    What it says of other x, and what of that it makes, may be asked of `log_mass`. It
    `is_foreign` where there is none whatever the model is given, by what it hands back.
    """

    log_mass: Callable[[], tuple[float, float] | None] | None = None

    def __init__(self, said: str, *, is_foreign: bool = False) -> None:
        super().__init__(said)
        self.is_foreign = is_foreign


class NoOneNoiseError(TypeError):
    """A sampler ran, and what it returns was not made of one draw from a known density."""
