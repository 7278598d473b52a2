"""Judge the whole zoo, and write the figures, the table and the picture of the docs.

Run from the repository root: `python docs/zoo_figures.py`. It takes a few minutes.
"""

from __future__ import annotations

from pathlib import Path

from ldjcheck.classroom.judging import figures, judge, picture, table
from ldjcheck.classroom.zoo import right_ones, wrong_ones

HERE = Path(__file__).parent


def main() -> None:
    """Judge every layer once; print the figures, and the names that are not right yet."""
    verdicts = [judge(animal) for animal in (*wrong_ones(), *right_ones())]
    text = f"{figures(verdicts)}\n\n{table(verdicts)}\n"
    (HERE / "zoo-figures.txt").write_text(text, encoding="utf-8")
    (HERE / "zoo-confusion.svg").write_text(picture(verdicts), encoding="utf-8")
    print(text)
    for v in verdicts:
        if v.false_alarm or (v.animal.code is not None and not v.named):
            print(f"{v.animal.name}: {v.animal.code or 'right'}, called {v.first}")


if __name__ == "__main__":
    main()
