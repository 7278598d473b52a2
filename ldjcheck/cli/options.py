"""The options of `ldjcheck check`: as typed, and as `[tool.ldjcheck]` sets them.

An option that concerns the check has the name and the default of a field of `Options`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from ldjcheck.cli import param_types as types
from ldjcheck.options.project import find_table
from ldjcheck.options.table import TYPED, Option, Takes
from ldjcheck.records import Suppression

_WIDEST_OPTION = 27


class SectionedOption(click.Option):
    """An option that stands under a heading of the help page."""

    def __init__(self, *names: str, section: str, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help page puts options under their headings, in their order."""

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write every option under its heading."""
        write_sections(self.get_params(ctx), ctx, formatter)


def write_sections(
    parameters: Iterable[click.Parameter],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    """Write the options among `parameters`, in columns equal under all headings."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            heading = getattr(parameter, "section", "Also")
            names, text = record
            entry = (f"{names:{_WIDEST_OPTION}}", text)
            sections.setdefault(heading, []).append(entry)
    for heading, entries in sections.items():
        with formatter.section(heading):
            formatter.write_dl(entries, col_max=_WIDEST_OPTION)


_READERS: dict[Takes, types.Text] = {
    "shape": types.SHAPE,
    "domain": types.DOMAIN,
    "context": types.CONTEXT,
    "data": types.DATA,
    "kwarg": types.KWARG,
    "convention": types.CONVENTION,
    "device": types.DEVICE,
    "code": types.CODES,
    "ignorable": types.IGNORABLE,
    "format": types.FORMAT,
    "picture": types.PICTURE,
    "number": types.POSITIVE,
    "tolerance": types.TOLERANCE,
    "seconds": types.POSITIVE,
}
_SHOWN = ("word", "count", "number", "seconds")  # with what they are by default


def _option(option: Option) -> SectionedOption:
    """Return an option of the table as click takes it."""
    settings: dict[str, Any] = {"section": option.section, "help": option.help}
    if option.takes == "flag":
        settings["is_flag"] = True
    else:
        settings |= {"metavar": option.metavar, "multiple": option.repeats}
        settings["type"] = _type(option)
        if option.usual not in (None, ()):
            settings["default"] = option.usual
            settings["show_default"] = option.takes in _SHOWN and option.shows_default
    names = [option.short] if option.short else []
    return SectionedOption(*names, f"--{option.typed}", **settings)


def _type(option: Option) -> click.ParamType[Any]:
    if option.takes == "word":
        return click.Choice(option.choices)
    if option.takes == "count":
        return click.IntRange(min=option.least, max=option.most)
    return _READERS[option.takes]


CHECK_OPTIONS = tuple(map(_option, TYPED))


# --- settings of a project ------------------------------------------------------------

BEGAN = "ldjcheck.began"
"""The key of a context's `meta` that says when the user began to wait, since the seconds of a
report include loading torch: as `time.perf_counter()` tells it."""
_SILENCES = "ldjcheck.silences"
_IGNORE, _BY_TARGET = "ignore", "per-target-ignore"
_TYPED = {"fix": "files are then written", "diff": "it goes with --fix"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """What the file ignores: at every target, and at targets that match a pattern."""

    everywhere: tuple[Suppression, ...] = ()
    by_target: tuple[tuple[str, Suppression], ...] = ()


class ConfiguredCommand(SectionedCommand):
    """A command whose options take their defaults from `pyproject.toml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the file first; not for the help page, which must always come."""
        if not {"-h", "--help"} & set(args):
            found = _find()
            if found is not None:
                values, silences = _Reader(self.params, *found).read()
                ctx.default_map = values
                ctx.meta[_SILENCES] = silences
        return super().parse_args(ctx, args)


def silences_of(ctx: click.Context) -> Silences:
    """Return what the file ignores."""
    found: Silences = ctx.meta.get(_SILENCES, Silences())
    return found


def _find() -> tuple[Path, Mapping[str, Any]] | None:
    try:
        return find_table(Path.cwd())
    except FileNotFoundError:
        raise click.UsageError("the current folder is gone.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


class _Reader:
    """Turns the file's values into what the command line would have given."""

    def __init__(
        self, params: list[click.Parameter], path: Path, table: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.table = table
        self.options = {
            param.opts[-1].removeprefix("--"): param
            for param in params
            if isinstance(param, click.Option)
        }

    def read(self) -> tuple[dict[str, Any], Silences]:
        """Return defaults of options by parameter name, and what is ignored.

        Raises:
            UsageError: a key that does not exist, or a value that an option cannot take.
        """
        values: dict[str, Any] = {}
        everywhere: tuple[Suppression, ...] = ()
        by_target: list[tuple[str, Suppression]] = []
        for key, value in self.table.items():
            name = key.replace("_", "-")
            if name == _IGNORE:
                everywhere = self._reasons(key, value)
            elif name == _BY_TARGET:
                for pattern, reasons in self._table(key, value).items():
                    where = f'{key}."{pattern}"'
                    # of several layers, not each need be excused
                    is_one = ":" in pattern and not {"*", "?"} & set(pattern)
                    found = self._reasons(where, reasons, expected=is_one)
                    by_target += [(pattern, each) for each in found]
            elif name in _TYPED and value is True:  # tests run the command, too
                raise self._error(key, f"type it each time: {_TYPED[name]}")
            elif name in self.options:
                option = self.options[name]
                values[str(option.name)] = self._value(key, value, option)
            else:
                raise self._error(key, self._unknown(name))
        return values, Silences(everywhere=everywhere, by_target=tuple(by_target))

    # --- values of options ------------------------------------------------------------

    def _value(self, key: str, value: Any, option: click.Option) -> Any:
        if option.is_flag or option.count:
            if not isinstance(value, bool):
                raise self._error(key, f"{value!r} is not true or false")
            return value
        if isinstance(option.type, click.IntRange) and type(value) is not int:
            raise self._error(key, f"{value!r} is not a whole number")
        given = self._texts(key, value, option)
        for text in given:
            try:
                option.type.convert(text, option, None)
            except click.BadParameter as error:
                raise self._error(key, error.message) from None
        return given if option.multiple else given[0]

    def _texts(self, key: str, value: Any, option: click.Option) -> list[str]:
        """Return the value as it would be typed, one text for each time."""
        if isinstance(value, bool) or value is None:
            raise self._error(key, f"{value!r} is no value of --{key}")
        if isinstance(value, Mapping) and option.multiple:
            return [f"{name}={_typed(inner)}" for name, inner in value.items()]
        if isinstance(value, list) and option.multiple:
            if value and all(isinstance(each, int) for each in value):
                return [_typed(value)]  # a shape
            return [_typed(each) for each in value]
        if isinstance(value, (str, int, float)):
            return [str(value)]
        raise self._error(key, f"{value!r} is no value of --{key}")

    # --- what is ignored ----------------------------------------------------------------

    def _reasons(
        self, key: str, value: Any, *, expected: bool = False
    ) -> tuple[Suppression, ...]:
        found = []
        for word, reason in self._table(key, value).items():
            try:
                codes = types.IGNORABLE.convert(word, None, None)
            except click.BadParameter as error:
                raise self._error(f"{key}.{word}", error.message) from None
            if not isinstance(reason, str) or not reason.strip():
                raise self._error(f"{key}.{word}", f'give the reason: {word} = "why"')
            is_one = expected and len(codes) == 1
            found += [
                Suppression(code=code, reason=reason.strip(), expected=is_one)
                for code in codes
            ]
        return tuple(found)

    def _table(self, key: str, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        hint = 'write a table, each entry with its reason: LDJ205 = "why"'
        raise self._error(key, hint)

    # --- errors -------------------------------------------------------------------------

    def _unknown(self, name: str) -> str:
        known = [*self.options, _BY_TARGET]
        near = get_close_matches(name, known, n=2)
        if near:
            return f"there is no such setting; did you mean {' or '.join(near)}?"
        return f"there is no such setting; known are {', '.join(sorted(known))}"

    def _error(self, key: str, why: str) -> click.UsageError:
        told = f"{self.path}: [tool.ldjcheck] {key}: {why}"
        return click.UsageError(told if why.endswith(("?", ".")) else f"{told}.")


def _typed(value: Any) -> str:
    """Return a value as one types it: a list of sizes is a shape."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
