"""A real browser for tests of pages: Chromium without a window, where there is one.

Tests that use it are skipped elsewhere. Where the environment names a folder in
`LDJCHECK_SCREENSHOTS`, whatever they photograph is kept there, to be looked at.
"""

from __future__ import annotations

import base64
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE, MIDDLE, NARROW = 1280, 768, 390
_HEIGHT = 900
_TALLEST = 12_000
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
    "--hide-scrollbars", "--force-color-profile=srgb", f"--window-size={WIDE},{_HEIGHT}",
)  # fmt: skip

CLIPPED = """
const wide = document.documentElement.clientWidth, found = [];
for (const each of document.querySelectorAll('body *')) {
  if (each.closest('svg') && each.tagName.toLowerCase() !== 'svg') continue;
  const box = each.getBoundingClientRect(), style = getComputedStyle(each);
  if (!box.width || !box.height || style.visibility === 'hidden') continue;
  let around = each.parentElement, scrolls = false, hidden = false;
  for (; around && around !== document.body; around = around.parentElement) {
    const other = getComputedStyle(around);
    if (['auto', 'scroll'].includes(other.overflowX)) scrolls = true;
    if (other.visibility === 'hidden' || +other.opacity === 0) hidden = true;
  }
  const cuts = ['hidden', 'clip'].includes(style.overflowX)
    && each.scrollWidth > each.clientWidth + 1 && each.textContent.trim();
  const leaves = box.right > wide + 1 && box.left < wide && !scrolls;
  if ((cuts || leaves) && !hidden && !each.closest(arguments[0] || 'none'))
    found.push(each.tagName + '.' + each.className + ': '
      + each.textContent.trim().slice(0, 40));
}
return found;
"""
"""Names what is cut off at the right edge, or inside of a box that does not scroll."""

ASTRAY = """
const wide = document.documentElement.clientWidth, found = [];
for (const table of document.querySelectorAll('table')) {
  const shown = row => [...row.cells].filter(e => e.getBoundingClientRect().width);
  const ink = cell => { const r = document.createRange(); r.selectNodeContents(cell);
    return r.getBoundingClientRect(); };
  let edge = wide;
  for (let e = table.parentElement; e; e = e.parentElement)
    edge = Math.min(edge, Math.ceil(e.getBoundingClientRect().right));
  if (!table.tHead || !table.getBoundingClientRect().width) continue;
  const heads = shown(table.tHead.rows[0]);
  for (const row of [...table.rows].filter(r => r.parentElement !== table.tHead)) {
    shown(row).forEach((cell, n) => {
      if (!/^[-+]?[\\d.]+(e-?\\d+)?$/.test(cell.textContent.trim())) return;
      const box = ink(cell), head = heads[n] && ink(heads[n]);
      const beside = !head || box.left >= head.right || head.left >= box.right;
      if (beside || box.right > edge)
        found.push(row.textContent.trim() + ': ' + cell.textContent);
    });
  }
}
return found;
"""
"""Names numbers of tables that do not stand under their head, or lie off the screen."""

LOWEST = """
const parts = c => c.match(/[\\d.]+/g).map(Number);
const lum = c => { const v = c.slice(0, 3).map(x => x / 255)
  .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
const canvas = document.body.appendChild(document.createElement('div'));
canvas.style.background = 'Canvas'; // what lies under a page that has no colour of its own
const paper = parts(getComputedStyle(canvas).backgroundColor);
const back = e => { if (!e) return paper;
  const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor);
  const under = a === 1 ? paper : back(e.parentElement);
  return [r, g, b].map((x, n) => a * x + (1 - a) * under[n]); };
let lowest = [99, ''];
document.querySelectorAll('details').forEach(e => { e.open = true; });
for (const e of document.querySelectorAll('body *:not(svg *):not(.skip)')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  if (!e.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
  const a = lum(parts(getComputedStyle(e).color)), b = lum(back(e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < lowest[0]) lowest = [ratio, e.outerHTML.slice(0, 80)];
}
return lowest;
"""
"""Says how little any text stands out from what is behind it, and which."""

DRAWN = """
const done = arguments[0];
document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(done)));
"""
"""Waits until the page has been laid out and drawn once."""


class Browser:
    """A page in Chromium."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path | str, *, width: int = WIDE, dark: bool = False) -> None:
        """Open a page in a window of some width, on a light or dark screen."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=_HEIGHT, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.driver.get(page.as_uri() if isinstance(page, Path) else page)
        self.driver.execute_async_script(DRAWN)

    def print_media(self) -> None:
        """Show the page as it would be printed."""
        self._tell("Emulation.setEmulatedMedia", media="print", features=[])

    def ask(self, script: str, *arguments: object) -> Any:
        """Return what a script returns."""
        return self.driver.execute_script(script, *arguments)

    def clipped(self, besides: str = "") -> list[str]:
        """Return what a reader cannot see whole; nothing inside of some elements."""
        found: list[str] = self.ask(CLIPPED, besides)
        return found

    def astray(self) -> list[str]:
        """Return the numbers that are not under their heads, or not on the screen."""
        found: list[str] = self.ask(ASTRAY)
        return found

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wide = "document.documentElement"
        return int(self.ask(f"return {wide}.scrollWidth - {wide}.clientWidth"))

    def pdf(self) -> bytes:
        """Return the page as it is printed to a file."""
        return base64.b64decode(self._tell("Page.printToPDF")["data"])

    def problems(self) -> list[str]:
        """Return what the console complains about."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def photograph(self, name: str) -> None:
        """Keep a picture of the whole page, where somebody wants to look at it."""
        folder = os.environ.get("LDJCHECK_SCREENSHOTS")
        if not folder:
            return
        height = self.ask("return document.documentElement.scrollHeight")
        width = self.ask("return window.innerWidth")
        clip = {
            "x": 0, "y": 0, "width": width, "height": min(height, _TALLEST), "scale": 1,
        }  # fmt: skip
        taken = self._tell(
            "Page.captureScreenshot", captureBeyondViewport=True, clip=clip
        )
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))

    def _tell(self, command: str, **details: object) -> Any:
        return self.driver.execute_cdp_cmd(command, details)


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Start a browser, or skip the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    program = next((p for p in map(shutil.which, _NAMES) if p), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no Chromium, or no chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in _FLAGS:
        options.add_argument(flag)
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()
