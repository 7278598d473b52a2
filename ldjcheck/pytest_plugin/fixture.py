"""The fixture `ldj`: checks that carry the settings of the session and of the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from ldjcheck.testing.assertion import CheckKeywords, assert_ldj, unknown_keyword

if TYPE_CHECKING:
    from ldjcheck.report import Report


@dataclass(frozen=True, slots=True)
class Ldj:
    """Checks layers. What is given in a call comes before the test's marks."""

    options: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """The seed of this test's checks."""
        return int(self.options.get("seed", 0))

    def check(self, layer: Any, **options: Unpack[CheckKeywords]) -> Report:
        """Return the report of a layer, as `ldjcheck.check` does."""
        __tracebackhide__ = True
        from ldjcheck.api import check

        _refuse_unknown(options)
        mine = {k: v for k, v in self.options.items() if k != "allow_unproven"}
        return check(layer, **{**mine, **options})

    def assert_ok(
        self,
        layer: Any,
        *,
        allow_unproven: str | None = None,
        **options: Unpack[CheckKeywords],
    ) -> Report:
        """Return the report of a layer that is right, as `ldjcheck.assert_ldj` does.

        Raises:
            LdjMismatch, LdjUnproven, LdjError: as `ldjcheck.assert_ldj`.
        """
        __tracebackhide__ = True
        _refuse_unknown(options)
        given = {**self.options, **options}
        if allow_unproven is not None:
            given["allow_unproven"] = allow_unproven
        return assert_ldj(layer, **given)


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    __tracebackhide__ = True
    if (wrong := unknown_keyword(options)) is not None:
        raise TypeError(wrong)
