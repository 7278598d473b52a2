"""Teaching: lessons, quiz and zoo, made of the texts that stand beside this module."""

from importlib.resources import files


def parts(name: str, mark: str = "# ") -> list[str]:
    """Return the parts of a text, each from the words of its heading on."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return text.removeprefix(mark).split(f"\n\n{mark}")
