"""What an entry of the catalogue is made of: its rule, its claims, its page, its words."""

from ldjcheck.mistakes.catalogue.page import Page, sections, shown_by
from ldjcheck.mistakes.catalogue.rule import Circumstances, Claim, Rule

__all__ = ["Circumstances", "Claim", "Page", "Rule", "sections", "shown_by"]
