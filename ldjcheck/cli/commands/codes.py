"""`ldjcheck codes`: the whole catalogue, one line each."""

from __future__ import annotations

import click


@click.command("codes", short_help="List every mistake that is known, one line each.")
def codes() -> None:
    """List every mistake that is known: code, name, severity, and what it is."""
    from ldjcheck.mistakes import RULES

    names = max(len(rule.name) for rule in RULES)
    severities = max(len(rule.severity) for rule in RULES)
    for rule in RULES:
        columns = f"{rule.name:{names}}  {rule.severity:{severities}}"
        click.echo(f"{rule.code}  {columns}  {rule.summary}")
