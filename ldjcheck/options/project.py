"""The table `[tool.ldjcheck]` of a project: where it stands, and what it says of checks."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ldjcheck.options.table import OF_TESTS, TYPED
from ldjcheck.records import Suppression

SETTINGS = ("per_target_ignore", *(option.name for option in TYPED))
"""What may stand there; what is not `OF_TESTS` concerns the command alone."""


def find_table(folder: Path) -> tuple[Path, Mapping[str, Any]] | None:
    """Return the nearest file upwards that has settings of ours, and these settings.

    Raises:
        ValueError: a file on the way cannot be read.
    """
    for up in (folder, *folder.parents):
        path = up / "pyproject.toml"
        if not os.path.isfile(path):
            continue
        try:
            content = read_toml(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read: {error}.") from None
        tools = content.get("tool")
        table = tools.get("ldjcheck") if isinstance(tools, Mapping) else None
        if isinstance(table, Mapping):
            return path, table
    return None


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file of TOML says.

    Raises:
        OSError, ValueError: it cannot be read, or is none.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(path.read_text(encoding="utf-8"))


def keywords_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are keywords of `ldjcheck.check`, as it takes them.

    What else stands there concerns the command.

    Raises:
        ValueError: a setting that does not exist, or a value that it cannot take.
    """
    given = {key.replace("-", "_"): value for key, value in table.items()}
    for name in given:
        if name not in SETTINGS:
            raise ValueError(_unknown(name))
    found = {name: value for name, value in given.items() if name in OF_TESTS}
    for name in ("shape", "context"):
        if name in found:
            found[name] = _shapes(found[name])
    if "kwarg" in found:
        found["kwarg"] = dict(_values(found["kwarg"]))
    if "ignore" in found:
        found["ignore"] = tuple(_suppressions(found["ignore"]))
    if found:
        from ldjcheck.options.keywords import asked  # which loads torch

        asked(found)
    return found


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # wanted by few

    names = {each.replace("_", "-") for each in SETTINGS}
    near = get_close_matches(name.replace("_", "-"), sorted(names), n=2)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"{name.replace('_', '-')}: there is no such setting{hint}"


def _shapes(value: Any) -> Any:
    """Return a shape, or shapes by name, from texts as one types them."""
    if isinstance(value, Mapping):
        return {name: _shapes(each) for name, each in value.items()}
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        return value
    named = [text.rpartition("=") for text in texts]
    if all(equals for _, equals, _ in named):
        return {name.strip(): _sizes(sizes) for name, _, sizes in named}
    return _sizes(value) if isinstance(value, str) else value


def _sizes(text: str) -> Any:
    """Return the sizes that a text lists; the text itself where it lists none."""
    inner = text.strip().removeprefix("(").removesuffix(")")
    try:
        return tuple(int(size) for size in inner.split(",") if size.strip())
    except ValueError:
        return text


def _values(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield keyword arguments: in tests there is no source whose names they could use."""
    import ast  # wanted by few

    if not isinstance(value, Mapping):
        texts = [value] if isinstance(value, str) else value
        value = {text.partition("=")[0]: text.partition("=")[2] for text in texts}
    for name, text in value.items():
        try:
            yield name.strip(), ast.literal_eval(str(text).strip())
        except (ValueError, SyntaxError):
            raise ValueError(
                f"kwarg.{name}: {text} is no plain value; in tests give it in the mark "
                f"instead: kwarg={{{name!r}: ...}}."
            ) from None


def _suppressions(value: Any) -> Iterator[Suppression]:
    """Yield what is ignored everywhere, which need not occur in every layer."""
    from ldjcheck.mistakes import ignorable_codes_for

    if not isinstance(value, Mapping):
        raise ValueError('ignore: write a table with reasons: LDJ205 = "why".')
    for word, reason in value.items():
        for code in ignorable_codes_for(word):
            yield Suppression(code=code, reason=str(reason).strip())
