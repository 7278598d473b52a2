"""Pictures of a finished check, drawn by matplotlib from what its record carries.

Nothing is measured here. The library is an extra (`plot`), loaded by the first drawing.
"""

from ldjcheck.report.pictures.sheet import NothingToDrawError, save_sheet, sheet

__all__ = ["NothingToDrawError", "save_sheet", "sheet"]
