"""`python -m tests.models`: check all whole models, print one table."""

from __future__ import annotations

import sys

from .run import main

if __name__ == "__main__":
    sys.exit(main())
