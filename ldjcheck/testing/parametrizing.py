"""`@ldjcheck.parametrize`: one test per layer and check, with expected findings."""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from ldjcheck.testing.assertion import CheckKeywords, has_words, unknown_keyword
from ldjcheck.testing.casework import CHECKS, Case, Expected, judge

if TYPE_CHECKING:
    import pytest

    from ldjcheck.report import Report


def marked(node: pytest.Item) -> dict[str, Any]:
    """Return the options of the marks `ldj` of a test; the closest mark wins.

    A mark with an option that does not exist fails the test, and says so.
    """
    import pytest

    options: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("ldj"))):
        wrong = unknown_keyword(mark.kwargs, "allow_unproven", "expected")
        if mark.args:
            wrong = f"it takes keywords only, as in shape={mark.args[0]!r}"
        if not has_words(mark.kwargs.get("allow_unproven", "none is wanted")):
            wrong = "allow_unproven needs a reason, such as 'identity by design'"
        if wrong is not None:
            pytest.fail(f"marker ldj: {wrong}", pytrace=False)
        options.update(mark.kwargs)
    return options


def session_options(node: pytest.Item) -> dict[str, Any]:
    """Return what holds for all checks: the project's settings, and the session's seed."""
    return {**project_options(node.config), "seed": session_seed(node.config)}


def session_seed(config: pytest.Config) -> int:
    """Return the seed: as typed, else that of the ini file, else of the project, else 0."""
    given = getattr(config.option, "ldj_seed", None)
    if given is None:
        try:
            given = config.getini("ldj_seed")
        except (KeyError, ValueError):  # the plugin is switched off
            given = ""
    return int(given) if given != "" else project_options(config).get("seed", 0)


def project_options(config: pytest.Config) -> dict[str, Any]:
    """Return what `[tool.ldjcheck]` says of all checks, by the keywords of a check.

    Raises:
        pytest.UsageError: it cannot be read.
    """
    import pytest

    from ldjcheck.options.project import find_table, keywords_of

    try:
        found = find_table(config.rootpath)
        if found is None:
            return {}
        path, table = found
        try:
            return keywords_of(table)
        except ValueError as error:
            raise ValueError(f"{path}: [tool.ldjcheck] {error}") from None
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


_OFFERED = ("layer", "check", "report")  # what the test function may ask for
_CASE = "ldj_case"


def parametrize(
    layers: Iterable[Any] | Mapping[str, Any],
    *,
    expected: Mapping[str, str] | None = None,
    ids: Sequence[str] | Callable[[Any], str | None] | None = None,
    **options: Unpack[CheckKeywords],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that makes one test per layer and check of a test function.

    The function is called for each check that passes, and may be empty. It may take
    `layer`, `check` (`"forward"`, `"inverse"`, ...) and `report`, besides fixtures.

    Args:
        layers: layers, or classes that are built without arguments, or `pytest.param` of
            either; a mapping names them.
        expected: reasons by code or name of a finding. A test whose mistakes are all
            expected is an xfail. One that does not occur any more is a failure.
        ids: names of the layers in test ids, or a function that returns the name of one;
            their types' names when absent.
        options: as `ldjcheck.check` takes them.

    Raises:
        TypeError: an option that does not exist, no list of layers, or no function.
        ValueError: an option that cannot be what it is given as, an expected finding that
            does not exist, or without a reason.
    """
    from ldjcheck.options.keywords import asked

    __tracebackhide__ = True
    if (wrong := unknown_keyword(options)) is not None:
        raise TypeError(wrong)
    asked(options)
    if isinstance(layers, (str, type)) or not isinstance(layers, Iterable):
        raise TypeError(f"it takes a list of layers, even of one: [{layers!r}]")
    awaited = Expected.of(expected or {})
    cases = tuple(_cases(layers, ids))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        import pytest

        if not hasattr(inspect.unwrap(function), "__code__"):
            raise TypeError(f"it stands over a test function, and no {function!r}")
        mark = pytest.mark.parametrize(_CASE, cases)
        return mark(_checked(function, awaited, options))  # type: ignore[no-any-return]

    return decorate


@dataclass(slots=True)
class _Subject:
    """A layer of the list, built when its first test runs, and checked once a setting."""

    given: Any
    name: str = ""
    layer: Any = None
    reports: list[tuple[Mapping[str, Any], Report]] = field(
        default_factory=list, repr=False
    )

    def checked(self, options: Mapping[str, Any]) -> Report:
        """Return the report of the layer, made once for all tests with these options.

        The same function may stand under other marks, as where classes inherit it.
        """
        from ldjcheck.api import check
        from ldjcheck.report_hooks import unheard

        __tracebackhide__ = True
        for known, report in self.reports:
            if _are_alike(known, options):
                return report
        if self.layer is None:
            self.layer = _built(self.given)
        with unheard():
            report = check(self.layer, **options)
        self.reports.append((options, report))
        return report


def _are_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        return bool(one == other)
    except (RuntimeError, ValueError):  # of two tensors, as keyword arguments are
        return False


def _built(given: Any) -> Any:
    """Return a layer: what is given, or made from it where it is a class.

    A class that cannot be built fails the test, with the user's own frames.
    """
    import pytest

    from ldjcheck.tracebacks import user_traceback

    __tracebackhide__ = True
    if not isinstance(given, type):
        return given
    try:
        return given()
    except (Exception, SystemExit) as error:
        told = "\n".join(user_traceback(error))
    why = "raised while it was built:"
    if _wants_arguments(given):
        why = (
            "cannot be built without arguments: put a layer that is built into the list"
        )
    pytest.fail(f"{given.__name__} {why}\n{told}", pytrace=False)


def _wants_arguments(given: type) -> bool:
    try:
        inspect.signature(given).bind()
    except TypeError:
        return True
    except ValueError:  # it is written in C, and does not say
        return False
    return False


def _cases(
    layers: Iterable[Any] | Mapping[str, Any],
    ids: Sequence[str] | Callable[[Any], str | None] | None,
) -> Iterator[Any]:
    """Yield a `pytest.param` for every check of every layer."""
    import pytest

    if isinstance(layers, Mapping):
        ids, layers = list(layers), layers.values()
    params = [_param(each) for each in layers]
    names = _names(params)
    if callable(ids):
        told = [ids(param.values[0]) for param in params]
        names = [one or other for one, other in zip(told, names, strict=True)]
    elif ids is not None:
        names = list(ids)
    if len(names) != len(params):
        raise ValueError(f"{len(names)} ids are given for {len(params)} layers")
    for param, name in zip(params, names, strict=True):
        subject = _Subject(param.values[0], str(param.id or name))
        for check in CHECKS:
            yield pytest.param(
                (subject, check), marks=param.marks, id=f"{subject.name}-{check}"
            )


def _param(given: Any) -> Any:
    import pytest

    if not (hasattr(given, "values") and hasattr(given, "marks")):
        return pytest.param(given)
    if len(given.values) != 1:
        raise TypeError(f"pytest.param takes one layer here, not {len(given.values)}")
    return given


def _names(params: Sequence[Any]) -> list[str]:
    """Return the names of types and functions, numbered where one comes twice."""
    plain = []
    for param in params:
        given = param.values[0]
        named = given if hasattr(given, "__name__") else type(given)
        plain.append(str(named.__name__).strip("<>"))
    return [
        f"{name}{plain[:number].count(name)}" if plain.count(name) > 1 else name
        for number, name in enumerate(plain)
    ]


def _checked(
    function: Callable[..., Any], expected: Expected, options: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return the test function with a verdict before its own body."""
    own = inspect.signature(function).parameters
    run_there = _standing_at(function)

    @functools.wraps(function)
    def test(*arguments: Any, **fixtures: Any) -> Any:
        __tracebackhide__ = True
        if _CASE not in fixtures:
            raise TypeError(
                "parametrize makes tests that pytest runs, and a unittest.TestCase runs "
                "its own: call assert_ldj there, or leave the base class out"
            )
        subject, check = fixtures.pop(_CASE)
        request = fixtures.pop("request")
        given = (subject, check, request.node, expected, options)
        report = run_there(functools.partial(_verdict, *given))
        if "request" in own:
            fixtures["request"] = request
        offered = {"layer": subject.layer, "check": check, "report": report}
        wanted = {name: offered[name] for name in _OFFERED if name in own}
        return function(*arguments, **fixtures, **wanted)

    kept = [p for name, p in own.items() if name not in (*_OFFERED, "request")]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
        for name in ("request", _CASE)
    ]
    test.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
    test.__ldjcheck__ = True  # type: ignore[attr-defined]  # how the plugin knows it
    return test


def _verdict(
    subject: _Subject,
    check: str,
    node: pytest.Item,
    expected: Expected,
    options: Mapping[str, Any],
) -> Report:
    """Judge one check of one layer: return its report, skip, xfail or raise."""
    __tracebackhide__ = True
    chosen = {**session_options(node), **options, **marked(node)}
    awaited = expected.and_also(chosen.pop("expected", None) or {})
    allow_unproven = chosen.pop("allow_unproven", None)
    report = subject.checked(chosen)
    case = Case(report, check, awaited, allow_unproven, bool(chosen.get("strict")))
    judge(case, _target(node, subject.name, check))
    return report


def _target(node: pytest.Item, name: str, check: str) -> str:
    """Return the id of the test without the check; other parameters stay in it.

    They may stand before the layer and behind it, as the decorators are stacked.
    """
    place = node.nodeid.removesuffix(node.name)
    ours = f"{name}-{check}"
    if ours not in node.name:  # pytest writes what is not ASCII in its own way
        name, ours = "", f"-{check}"
    return place + node.name.replace(ours, name, 1)


def _standing_at(
    function: Callable[..., Any],
) -> Callable[[Callable[[], Report]], Report]:
    """Return a caller whose traceback entry stands at the test function.

    A failing test then shows the user's file and line, not ours.
    """
    own = inspect.unwrap(function).__code__
    line = linecache.getline(own.co_filename, own.co_firstlineno).rstrip()
    # The call is as wide as the line, which is then underlined nowhere.
    source = "call" + " " * (len(line) - 6) + "()"
    code = compile(source, own.co_filename, "eval").replace(
        co_name=own.co_name, co_firstlineno=own.co_firstlineno
    )

    def run(call: Callable[[], Report]) -> Report:
        __tracebackhide__ = True
        report: Report = eval(code, {"call": call})
        return report

    return run
