"""The ldj's own arithmetic: its terms, what in it may be edited, and running it again."""
