"""The documentation as readers see it: built without a warning, and looked at.

The site is built once for all tests, or taken from the folder that `LDJCHECK_SITE` names.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import LOWEST, MIDDLE, NARROW, WIDE, Browser, opened_browser

from ldjcheck.mistakes import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PHOTOGRAPHED = (
    "index", "first-layer", "three-questions", "pictures", "change-of-variables",
    "where-dims-come-from", "why-noise", "error-model", "what-cannot-be-told-apart",
    "command-line", "reference/options", "reference/json-keys", "mistakes/index",
    "mistakes/missing-dims-factor", "python", "classroom", "grading",
)  # fmt: skip
GROUPS = ["Start", "How to", "Teach", "Reference", "Understand"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("LDJCHECK_SITE")
    if given:
        return Path(given)
    for needed in ("sphinx", "furo", "myst_parser", "latex2mathml", "sphinx_design"):
        pytest.importorskip(needed)
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [
            sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
            "-d", str(out / "doctrees"), str(ROOT / "docs"), str(out / "html"),
        ],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return out / "html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as started:
        yield started


def pages(site: Path) -> list[str]:
    """Return every page of the site that somebody wrote, or that the code wrote."""
    found = (path.relative_to(site).with_suffix("") for path in site.rglob("*.html"))
    left_out = {"search", "genindex", "py-modindex"}
    return sorted(str(page) for page in found if page.name not in left_out)


def test_every_page_is_there(site: Path) -> None:
    found = set(pages(site))
    assert set(PHOTOGRAPHED) <= found
    assert {f"mistakes/{rule.name}" for rule in RULES} <= found


def test_a_site_that_is_built_needs_no_other(site: Path) -> None:
    """Styles, scripts and pictures are its own: it can be read without a network."""
    for page in pages(site):
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]*)"', text)
        loaded += re.findall(
            r'<link[^>]*rel="(?:stylesheet|preload)"[^>]*href="([^"]*)"', text
        )
        assert not [each for each in loaded if re.match(r"(https?:)?//", each)], page


def test_pages_stand_in_groups(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'class="caption-text">([^<]*)<', text)[:5] == GROUPS


def test_formulas_are_typeset_and_blocks_can_be_copied(site: Path) -> None:
    text = (site / "change-of-variables.html").read_text(encoding="utf-8")
    assert text.count("<math ") >= 6
    assert '<mi>log</mi><mspace width="0.167em" /><msub><mi>p</mi>' in text
    assert "copybutton.js" in text
    for page in pages(site):
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        prose = re.sub(
            r"<(pre|code|script|style|annotation)\b.*?</\1>", "", text, flags=re.S
        )
        assert not re.findall(r"\$\$|\$\\|\\(?:log|sum|det|partial)\b", prose), page


def test_verdicts_and_edits_of_a_console_have_their_colours(site: Path) -> None:
    text = (site / "getting-started.html").read_text(encoding="utf-8")
    assert re.search(r'<span class="gd">FAIL</span>(<[^>]*>)* +LDJ104', text)
    assert '<span class="gi">PASS</span>' in text
    assert re.search(r'<span class="gd"> +\d+ -  ldj ', text)
    assert re.search(r'<span class="gi"> +\d+ \+  ldj ', text)
    assert 'rel="icon" href="_static/icon.svg"' in text.replace("shortcut ", "")


INKS = """
const marks = document.querySelectorAll('.highlight-console :is(.gd, .gi)');
return [...marks].map(e => [e.className,
  ...getComputedStyle(e).color.match(/\\d+/g).map(Number)]);
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_wrong_is_red_and_what_is_right_is_green(
    site: Path, browser: Browser, *, dark: bool
) -> None:
    browser.open(site / "getting-started.html", dark=dark)
    inks = browser.ask(INKS)
    assert {name for name, *_ in inks} == {"gd", "gi"}
    for name, red, green, blue in inks:
        assert (red if name == "gd" else green) == max(red, green, blue)


HIDDEN = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll('.highlight pre')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > wide)
  .map(e => e.textContent.slice(0, 60));
"""


BROKEN = """
return [...document.querySelectorAll('article code:not(td *) .pre')]
  .filter(e => e.textContent.startsWith('--') && e.textContent.length < 30)
  .filter(e => { const r = document.createRange(); r.selectNodeContents(e);
    return new Set([...r.getClientRects()].map(r => r.top)).size > 1; })
  .map(e => e.textContent);
"""
"""Names the options that stand on two lines, columns of tables apart."""


def test_verdicts_numbers_and_code_lie_on_the_screen_of_a_telephone(
    site: Path, browser: Browser
) -> None:
    faults = {}
    for page in pages(site):
        browser.open(site / f"{page}.html", width=NARROW)
        if found := browser.ask(HIDDEN) + browser.ask(BROKEN):
            faults[page] = found
    assert faults == {}


@pytest.mark.parametrize("width", [NARROW, MIDDLE, WIDE])
def test_nothing_is_cut_off(site: Path, browser: Browser, width: int) -> None:
    faults = {}
    for page in pages(site):
        browser.open(site / f"{page}.html", width=width)
        if page in PHOTOGRAPHED:
            browser.photograph(f"site-{page.replace('/', '-')}-{width}")
        found = browser.clipped(besides=".sidebar-drawer, .toc-drawer, .headerlink")
        if browser.overflow() or found:
            faults[page] = (browser.overflow(), found)
    assert faults == {}


SCROLLS = """
return [...document.querySelectorAll('.highlight-console pre, .highlight-python pre')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60));
"""


def test_reports_and_code_are_read_without_scrolling_on_a_usual_screen(
    site: Path, browser: Browser
) -> None:
    faults = {}
    for page in pages(site):
        browser.open(site / f"{page}.html", width=WIDE)
        if found := browser.ask(SCROLLS):
            faults[page] = found
    assert faults == {}


def test_pictures_and_text_are_there_in_the_dark(site: Path, browser: Browser) -> None:
    browser.open(site / "first-layer.html", dark=True)
    browser.photograph("site-first-layer-dark")
    ink = browser.ask("""
        const text = document.querySelector('figure.drawn svg text');
        return [getComputedStyle(text).fill, getComputedStyle(document.body).color];
    """)
    assert ink[0] == ink[1]
    assert browser.problems() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(
    site: Path, browser: Browser, *, dark: bool
) -> None:
    faults = {}
    for page in pages(site):
        browser.open(site / f"{page}.html", dark=dark)
        ratio, where = browser.ask(LOWEST)
        if ratio < 4.5:
            faults[page] = (ratio, where)
    assert faults == {}


FOCUSED = """
const e = document.activeElement, style = getComputedStyle(e);
return [e.className, style.outlineStyle !== 'none' || e.matches('input')];
"""


def test_the_keyboard_skips_to_the_content_and_is_seen_on_its_way(
    site: Path, browser: Browser
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(site / "getting-started.html")
    met = []
    for _ in range(12):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        met.append(browser.ask(FOCUSED))
    assert "skip-to-content" in met[0][0]
    assert all(is_seen for _, is_seen in met)
    assert len({name for name, _ in met}) > 2


SURROUNDING = """
const around = '.sidebar-drawer, .toc-drawer, .mobile-header, .copybtn';
return [...document.querySelectorAll(around)]
  .filter(e => e.checkVisibility()).map(e => e.className);
"""


def test_a_page_is_printed_without_what_surrounds_it(
    site: Path, browser: Browser
) -> None:
    for page in PHOTOGRAPHED:
        browser.open(site / f"{page}.html", dark=True)
        browser.print_media()
        assert browser.overflow() == 0, page
        assert browser.ask(SURROUNDING) == [], page
