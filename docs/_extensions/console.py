"""Console blocks in the colours of a terminal: verdicts, and the lines of an edit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pygments.lexers.shell import BashSessionLexer
from pygments.token import Generic

_TOLD = re.compile(
    r"(?P<Inserted>(?<=  )PASS\b|^ *\d+ \+  .*$|^\+(?!\+).*$)"
    r"|(?P<Deleted>(?<=  )(?:FAIL|ERROR)\b|^ *\d+ -  .*$|^-(?!-).*$)"
    r"|(?P<Emph>(?<=  )UNPROVEN\b)",
    re.MULTILINE,
)


class ConsoleLexer(BashSessionLexer):
    """A console whose output has verdicts and edits in it."""

    name = "Console of ldjcheck"

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Yield tokens; of output, verdicts and changed lines by themselves."""
        for start, kind, value in super().get_tokens_unprocessed(text):
            if kind is not Generic.Output:
                yield start, kind, value
                continue
            end = 0
            for found in _TOLD.finditer(value):
                yield start + end, kind, value[end : found.start()]
                yield start + found.start(), getattr(Generic, found.lastgroup), found[0]
                end = found.end()
            yield start + end, kind, value[end:]


def setup(app: Any) -> dict[str, bool]:
    """Colour every block that is a console."""
    app.add_lexer("console", ConsoleLexer)
    return {"parallel_read_safe": True}
