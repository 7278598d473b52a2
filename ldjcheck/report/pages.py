"""Where the page of a mistake is published, if this installation says where its pages are."""

from importlib.metadata import PackageNotFoundError, metadata

from ldjcheck.mistakes import rule_for

_LABEL = "documentation"  # of the address, among the URLs of the project


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
