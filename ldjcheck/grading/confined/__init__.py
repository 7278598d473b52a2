"""Both ends of a confined process: what runs in it, and how the grader talks with it."""
