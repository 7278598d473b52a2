"""The options of a check, each stated once.

The command line, the settings of a project, the keywords of Python and the page of
reference follow from it; `ldjcheck.check` alone spells its keywords out, for editors.
"""

from typing import Any, Literal, NamedTuple, get_args

from ldjcheck.records import Kind, Options, Wrt
from ldjcheck.records.asked import LARGEST_SEED

Takes = Literal[
    "shape", "domain", "context", "data", "kwarg", "convention", "device", "code",
    "ignorable", "format", "picture", "word", "count", "number", "tolerance", "seconds",
    "flag", "function", "object",
]  # fmt: skip
"""What an option takes: as typed, see `cli.options`; in Python, see `options.keywords`."""

Section = Literal[
    "What the layer is fed", "How it is called", "How it is judged", "What is written",
    "What is shown", "In Python",
]  # fmt: skip
FED, CALLED, JUDGED, WRITTEN, SHOWN, IN_PYTHON = get_args(Section)


class Option(NamedTuple):
    """One option, under the name that it has as a keyword of Python."""

    name: str
    takes: Takes
    section: Section  # of the help page; `IN_PYTHON` alone it is on none
    help: str = ""
    metavar: str | None = None
    # on the command line, where it is another than that of `Options`
    default: Any = None
    choices: tuple[str, ...] = ()  # of a word
    least: int = 0  # of a count, as is the next one
    most: int | None = None
    short: str = ""
    repeats: bool = False
    shows_default: bool = True
    of_command: bool = False  # it concerns the command alone, and no check in Python
    in_tests: bool = True  # a project may set it for all of its tests

    @property
    def typed(self) -> str:
        """Its name on the command line, and in a file of settings."""
        return self.name.replace("_", "-")

    @property
    def usual(self) -> Any:
        """What it is on the command line where nothing is said; None or () for nothing."""
        return (
            getattr(_USUAL, self.name, None) if self.default is None else self.default
        )


_USUAL = Options()

OPTIONS: tuple[Option, ...] = (
    Option(
        "shape", "shape", FED,
        "Event shape of one sample, without the batch; x=1,4,4 for a named input. "
        "Found out by default.",
        "1,4,4", repeats=True,
    ),
    Option("batch", "count", FED, "Samples per probe.", "N", least=1),
    Option(
        "domain", "domain", FED,
        "Where inputs live: auto, real, unit, positive, int:0:255, interval:a:b.",
        "KIND", default="auto",
    ),
    Option(
        "context", "context", FED,
        "Extra tensor argument of the call, as in t=4:positive. Repeatable.",
        "NAME=SHAPE[:DOMAIN]", repeats=True,
    ),
    Option(
        "inputs", "data", FED,
        "Check at the samples in this .pt, .npy or .npz file; parameters then stay as "
        "they are.",
        "FILE", in_tests=False,
    ),
    Option(
        "weights", "data", FED,
        "Check with the state dict in this file; parameters then stay as they are.",
        "FILE", in_tests=False,
    ),
    Option(
        "kwarg", "kwarg", FED,
        "Extra keyword argument of the call, in the source's own names.",
        "NAME=EXPR", repeats=True,
    ),
    Option(
        "params", "word", FED,
        "Move parameters off their initial values, on a copy, or leave them.",
        choices=("random", "as-is"),
    ),
    Option("params_scale", "number", FED, "How far parameters are moved.", "X"),
    Option(
        "seed", "count", FED, "Where all randomness comes from.", "N", most=LARGEST_SEED
    ),
    Option(
        "search", "count", FED,
        "Look for a failing probe among N generated ones; show the smallest.",
        "N", shows_default=False,
    ),
    Option(
        "convention", "convention", CALLED,
        "Calling convention, or 'f(z, ldj, reverse) -> z, ldj'. Recognised by default.",
        "NAME",
    ),
    Option(
        "direction", "word", CALLED, "Which way to run it.",
        choices=("both", "forward", "inverse"),
    ),
    Option("mode", "word", CALLED, "Mode of the module.", choices=("eval", "train")),
    Option(
        "dtype", "word", CALLED, "Precision of the check.",
        choices=("float64", "as-written"),
    ),
    Option(
        "device", "device", CALLED,
        "Check the layer there, as on cuda. A copy on the CPU by default.", "NAME",
    ),
    Option(
        "dims_limit", "count", CALLED, "Most dimensions to check exactly.", "N", least=1
    ),
    Option(
        "timeout", "seconds", CALLED,
        "Seconds of CPU time for a target; by the clock where it hangs.",
        "S", default=60.0,
    ),
    Option(
        "jobs", "count", CALLED,
        "Targets that are checked side by side; as many as there are cores by default.",
        "N", least=1, short="-j", of_command=True,
    ),
    Option(
        "kind", "word", JUDGED,
        "What the layer is; of a model, the log_prob is checked.",
        choices=("auto", *get_args(Kind)),
    ),
    Option(
        "wrt", "word", JUDGED, "What the Jacobian is taken against.",
        choices=("auto", *get_args(Wrt)),
    ),
    Option("atol", "tolerance", JUDGED, "Allowed difference, in nats.", "X"),
    Option("rtol", "tolerance", JUDGED, "The same, relative.", "X"),
    Option(
        "select", "code", JUDGED,
        "Report these mistakes only; LDJ2 means all of LDJ2xx. Repeatable.",
        "CODE|NAME", repeats=True,
    ),
    Option(
        "ignore", "ignorable", JUDGED,
        "Let these mistakes not count; for one line a comment does, # ldjcheck: "
        "ignore[CODE] why. Repeatable.",
        "CODE|NAME", repeats=True,
    ),
    Option("strict", "flag", JUDGED, "Let warnings fail."),
    Option(
        "fix", "flag", WRITTEN,
        "Write the verified edits to the files; else nothing is ever written.",
        of_command=True,
    ),
    Option(
        "diff", "flag", WRITTEN,
        "With --fix: show as a diff what would be written, and write nothing.",
        of_command=True,
    ),
    Option(
        "format", "format", SHOWN,
        "text, concise, json, html, github, sarif or junit; with =FILE to a file, and "
        "the text stays on the screen. Repeatable.",
        "NAME[=FILE]", default=("text",), repeats=True, of_command=True,
    ),
    Option(
        "plot", "picture", SHOWN,
        "Draw the Jacobian, reported against exact, and of two dims the volume: a .png, "
        ".svg or .pdf file.",
        "FILE", of_command=True,
    ),
    Option(
        "watch", "flag", SHOWN,
        "Check again whatever a saved file touches, until Ctrl-C.", of_command=True,
    ),
    Option(
        "statistics", "flag", SHOWN,
        "At the end of the text, how often each code was found.", of_command=True,
    ),
    Option(
        "quiet", "flag", SHOWN, "The verdict line alone.", short="-q", of_command=True
    ),
    Option(
        "verbose", "flag", SHOWN,
        "All that was compared and inferred.", short="-v", of_command=True,
    ),
    Option(
        "color", "word", SHOWN,
        "Colours; auto honours NO_COLOR.", default="auto", of_command=True,
        choices=("auto", "always", "never"),
    ),
    Option("ledger", "flag", IN_PYTHON, in_tests=False),
    Option("pictures", "flag", IN_PYTHON, in_tests=False),
    Option("jacobian", "function", IN_PYTHON, in_tests=False),
    Option("adapter", "object", IN_PYTHON, in_tests=False),
)  # fmt: skip

TYPED = tuple(option for option in OPTIONS if option.section != IN_PYTHON)
"""What the command line takes, in the order of its help page."""
KEYWORDS = {option.name: option for option in OPTIONS if not option.of_command}
"""What `ldjcheck.check` takes besides the layer, by name."""
OF_TESTS = frozenset(name for name, option in KEYWORDS.items() if option.in_tests)
"""The keywords that a project can set for all of its tests."""
