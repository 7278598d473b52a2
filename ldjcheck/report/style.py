"""How a report is to look: what every output format is told besides the run."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata

import click

from ldjcheck.mistakes import rule_for

_LABEL = "documentation"  # of the address, among the URLs of the project


@dataclass(frozen=True, slots=True)
class Style:
    """Colour or none, how much is said, and the columns of the page (60 or more).

    `verbosity` is -1 (quiet), 0 or 1 (verbose). With `statistics` a text ends in how often
    each code was found, and with `links` its codes lead to their pages. `is_typed` says that
    the reader can type options: `-v`, `--fix`.
    """

    color: bool
    verbosity: int
    width: int = 80
    statistics: bool = False
    links: bool = False
    is_typed: bool = True

    @property
    def quiet(self) -> bool:
        """Whether only the bare outcome is wanted."""
        return self.verbosity < 0

    @property
    def verbose(self) -> bool:
        """Whether everything that is known is wanted."""
        return self.verbosity > 0

    @property
    def more(self) -> str:
        """What shows the reader all that is known."""
        return "-v" if self.is_typed else ".details"

    def paint(self, text: str, fg: str | None = None, *, bold: bool = False) -> str:
        """Return `text`, coloured where colour is wanted.

        Only finished lines are painted: the codes would count as columns otherwise.
        """
        wanted = self.color and bool(text)
        return click.style(text, fg=fg, bold=bold or None) if wanted else text

    def link(self, line: str, code: str) -> str:
        """Return a finished line whose `code` a terminal opens the page of (OSC 8).

        As it is where no links are wanted, or no pages are published.
        """
        address = page_address(code) if self.links else None
        if address is None:
            return line
        shown = f"\x1b]8;;{address}\x1b\\{code}\x1b]8;;\x1b\\"
        return line.replace(code, shown, 1)


def page_address(code: str) -> str | None:
    """Return the address of a mistake's page; None where no pages are published.

    The project states once, among its URLs, where its documentation is.
    """
    rule = rule_for(code)
    try:
        urls = metadata("ldjcheck").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from its sources
        return None
    for label, _, address in (url.partition(",") for url in urls):
        if rule is not None and label.strip().lower() == _LABEL:
            return f"{address.strip().rstrip('/')}/mistakes/{rule.name}.html"
    return None
