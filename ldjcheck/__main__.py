"""`python -m ldjcheck`: the same as the `ldjcheck` script."""

from ldjcheck.cli import main

if __name__ == "__main__":
    main()
