"""The session's settings, and which tests they concern."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ldjcheck import __version__
from ldjcheck.records.asked import LARGEST_SEED
from ldjcheck.testing.parametrizing import project_options, session_seed


def check_settings(config: pytest.Config) -> None:
    """Refuse settings that make no sense before anything is run.

    Raises:
        pytest.UsageError: a seed that is no number, a report in an unknown format or at
            a place where none can be written.
    """
    given = config.getoption("ldj_seed")
    seed = config.getini("ldj_seed") if given is None else given
    is_seed = str(seed).isdigit() and int(seed) <= LARGEST_SEED
    if seed != "" and not is_seed:
        where = "ini ldj_seed" if given is None else "--ldj-seed"
        raise pytest.UsageError(
            f"{where} is {seed!r}; it takes a whole number from 0 to {LARGEST_SEED}"
        )
    path = config.getoption("ldj_report")
    if path is not None and path.suffix != ".json":
        raise pytest.UsageError(f"--ldj-report={path}: FILE has to end in .json")
    if path is not None:
        _refuse_unwritable(config.invocation_params.dir / path)
    if config.getini("ldj_targets") and config.inipath is None:
        raise pytest.UsageError("ldj_targets has to stand in a configuration file")


def _refuse_unwritable(path: Path) -> None:
    """Refuse a report that could not be written when all tests have been run."""
    if path.is_dir():
        raise pytest.UsageError(f"--ldj-report: {path} is a folder")
    there = next(each for each in path.parents if each.exists())
    if not there.is_dir():
        raise pytest.UsageError(f"--ldj-report: {there} is no folder")
    if not os.access(path if path.exists() else there, os.W_OK):
        raise pytest.UsageError(f"--ldj-report: {path} cannot be written")


def find_targets(config: pytest.Config) -> None:
    """Let a run that names no place itself visit the file where targets are listed.

    Called with the folders of `testpaths` or `addopts`, pytest would not come by.
    """
    inipath = config.inipath
    if inipath is None or not config.getini("ldj_targets"):
        return
    if config.args_source.name == "INVOCATION_DIR" or _are_typed(config):
        return  # a folder is meant, and what is in it
    if not any(_is_under(inipath, config.rootpath / arg) for arg in config.args):
        config.args.append(str(inipath))


def _are_typed(config: pytest.Config) -> bool:
    """Return whether a file or folder to run was typed, not only configured."""
    typed = set(map(str, config.invocation_params.args))
    return config.args_source.name == "ARGS" and not typed.isdisjoint(config.args)


def _is_under(path: Path, folder: Path) -> bool:
    return folder in (path, *path.parents)


def header(config: pytest.Config) -> str:
    """Return the line that says how layers are checked."""
    options = {"dtype": "float64", "batch": 3, **project_options(config)}
    told = (
        f"seed {session_seed(config)}, {options['dtype']}, {options['batch']} samples"
    )
    return f"ldjcheck {__version__}: {told}"


def uses_ldjcheck(item: pytest.Item) -> bool:
    """Return whether a test says by its fixtures, marks or kind that it checks layers."""
    return (
        "ldj" in getattr(item, "fixturenames", ())
        or item.get_closest_marker("ldj") is not None
        or hasattr(getattr(item, "function", None), "__ldjcheck__")
        or type(item).__name__ == "TargetItem"
    )


def seed_for(item: pytest.Item) -> int | None:
    """Return the seed where random weights of a test have to be the same each time.

    None also where the settings cannot be read: the test itself then says why, since a
    worker of pytest-xdist that ends here says nothing.
    """
    has_report = item.config.getoption("ldj_report") is not None
    if not has_report and not uses_ldjcheck(item):
        return None
    try:
        return session_seed(item.config)
    except pytest.UsageError:
        return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the generators of Python, NumPy and torch at `seed`; put them back after.

    What is not loaded yet is left alone: a test that makes layers at random has loaded
    it with its module.
    """
    import random

    state = random.getstate()
    random.seed(seed)
    np, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if np is not None:
        np_state = np.random.get_state()
        np.random.seed(seed)
    if torch is not None:
        torch_state = torch.get_rng_state()
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
        if np is not None:
            np.random.set_state(np_state)
        if torch is not None:
            torch.set_rng_state(torch_state)
