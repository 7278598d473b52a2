"""JUnit's XML, which CI servers count: a test suite of one test case a layer."""

import re
from xml.etree import ElementTree as Xml

from ldjcheck.records import Result, Run
from ldjcheck.records.result import Skipped
from ldjcheck.report.blocks import screen
from ldjcheck.report.blocks.layout import one_line
from ldjcheck.report.style import Style

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, not even written as a number."""
_PLAIN = Style(color=False, verbosity=0)


def render(run: Run, style: Style) -> str:
    """Return the document. It looks the same in every style."""
    statuses = [result.status for result in run.results]
    counts = {
        "tests": len(run.results) + len(run.skipped),
        "failures": statuses.count("fail") + statuses.count("unproven"),
        "errors": statuses.count("error"),
        "skipped": len(run.skipped),
    }
    told = {"name": "ldjcheck", "time": f"{run.seconds:.3f}"}
    told |= {name: str(count) for name, count in counts.items()}
    of_all = {name: said for name, said in told.items() if name != "skipped"}
    suites = Xml.Element("testsuites", of_all)
    suite = Xml.SubElement(suites, "testsuite", told)
    for result in run.results:
        suite.append(_case(result))
    for skipped in run.skipped:
        suite.append(_skipped(skipped))
    Xml.indent(suites)
    text: str = Xml.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(result: Result) -> Xml.Element:
    case = _named(result.target)
    case.set("time", f"{result.seconds:.3f}")
    if result.status == "pass":
        return case
    # Nothing proved is no success, here as in the exit status.
    kind = "error" if result.status == "error" else "failure"
    main = next(iter(result.findings), None)
    message = result.status if main is None else f"{main.code} {main.message}"
    attributes = {"message": _clean(one_line(message)), "type": result.status}
    trouble = Xml.SubElement(case, kind, attributes)
    blocks = screen.blocks(result, _PLAIN)
    trouble.text = _clean("\n\n".join("\n".join(block) for block in blocks))
    return case


def _skipped(skipped: Skipped) -> Xml.Element:
    case = _named(skipped.target)
    case.set("time", "0.000")
    Xml.SubElement(case, "skipped", {"message": _clean(one_line(skipped.why))})
    return case


def _named(target: str) -> Xml.Element:
    source, _, expr = one_line(target).partition(":")
    name = {"classname": _clean(source), "name": _clean(expr or source)}
    return Xml.Element("testcase", name)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
