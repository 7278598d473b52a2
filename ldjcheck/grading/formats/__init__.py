"""What comes out of grading: forms of the results, and the ordered register of all.

Adding one is a `Form` in a file of this folder, and its line in `FORMS`.
"""

from ldjcheck.grading.feedback import Form
from ldjcheck.grading.formats import html, json
from ldjcheck.grading.formats.each_student import FEEDBACK, GRADESCOPE, PAGES
from ldjcheck.grading.formats.tables import CSV, NBGRADER, OTTER

FORMS: tuple[Form, ...] = (
    CSV, json.FORM, html.FORM, FEEDBACK, PAGES, GRADESCOPE, NBGRADER, OTTER,
)  # fmt: skip

USUAL = ("csv", "json", "html", "feedback")
