"""The planted-mistake field test: right layers of other people, one mistake each.

`cases` lists right layers, `mutations` edits the source of their ldj code, `generator`
keeps the edits that change the ldj and nothing else, `runner` checks the result. All
but the runner know nothing of ldjcheck: what it is measured by must not depend on it.
"""
