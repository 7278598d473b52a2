"""In the confined process: the whole check, beside the submitted code.

It says what is wrong, on which line, and which edit mends it. Code that runs beside can
make it say anything, so this decides no points by itself.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ldjcheck.grading.confined import Channel
from ldjcheck.options.keywords import asked
from ldjcheck.records import Finding, Result
from ldjcheck.session.targets import Checked, Request, check_target

_LONGEST = 2000  # characters of a message
_MOST = 20  # findings, or lines of evidence


def diagnose(channel: Channel, arguments: Mapping[str, Any]) -> None:
    """Send the result of a check: first that the layer fails, as soon as that is known."""
    channel.send({**_checked(channel, arguments), "final": True})


def _checked(channel: Channel, arguments: Mapping[str, Any]) -> dict[str, Any]:
    keywords = dict(arguments["keywords"])
    typed = keywords.pop("kwarg", {})
    options = asked({**keywords, "seed": arguments["seed"]})

    def tell(known: Result | str) -> None:
        if isinstance(known, Result) and known.status == "fail":
            channel.send(_plain(known))

    checked = check_target(
        arguments["target"],
        Request(options=options, kwargs=tuple(typed.items())),
        tell=tell,
    )
    result = checked.result if isinstance(checked, Checked) else checked
    assert isinstance(result, Result)
    return _plain(result)


def _plain(result: Result) -> dict[str, Any]:
    """Return what the grader reads of a result."""
    return {
        "status": result.status,
        "findings": [asdict(_short(finding)) for finding in result.findings[:_MOST]],
    }


def _short(finding: Finding) -> Finding:
    """Return a finding whose files are named from the submission's own folder."""
    place, fix = finding.location, finding.fix
    if place is not None:
        place = replace(place, file=_own(place.file))
    if fix is not None:
        edits = tuple(replace(edit, file=_own(edit.file)) for edit in fix.edits)
        fix = replace(fix, edits=edits)
    return replace(
        finding,
        message=finding.message[:_LONGEST],
        evidence=tuple(line[:_LONGEST] for line in finding.evidence[:_MOST]),
        location=place,
        fix=fix,
    )


def _own(file: str) -> str:
    return os.path.relpath(file) if os.path.isabs(file) else file
