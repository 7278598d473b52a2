"""The wheel holds the package, all of it and nothing else, and runs from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import ldjcheck

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def unpacked(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    folder = built / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files(folder: Path) -> set[str]:
    """Return the paths in a folder, without what Python and pytest keep there."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if not any(part[0] == "." or part == "__pycache__" for part in path.parts)
    }


def test_the_wheel_is_the_package_and_nothing_else(unpacked: Path) -> None:
    metadata = f"ldjcheck-{ldjcheck.__version__}.dist-info"
    assert {path.name for path in unpacked.iterdir()} == {"ldjcheck", metadata}
    assert files(unpacked / "ldjcheck") == files(ROOT / "ldjcheck")
    assert f"{metadata}/licenses/LICENSE" in files(unpacked)


def test_the_wheel_is_small(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size < 2 * 2**20


def test_the_sdist_has_what_its_tests_and_docs_read(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tops = {name.partition("/")[0] for name in names}
    assert tops == {
        ".ci", ".github", ".gitignore", ".pre-commit-hooks.yaml", "CHANGELOG.md",
        "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "PKG-INFO",
        "README.md", "SECURITY.md", "action.yml", "docs", "examples", "ldjcheck",
        "paper.bib", "paper.md", "pyproject.toml", "tests",
    }  # fmt: skip
    for folder in ("ldjcheck", "examples", "tests"):
        here = {f"{folder}/{name}" for name in files(ROOT / folder)}
        assert here <= names, folder
    assert not {name for name in names if name.endswith(".pyc")}


def test_an_index_would_take_and_show_both(built: Path) -> None:
    pytest.importorskip("twine")
    check = [sys.executable, "-m", "twine", "check", "--strict", *built.iterdir()]
    ran = subprocess.run(check, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.count("PASSED") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "LDJ101"], "missing-dims-factor"),
        (["explain", "--symptom", "negative bits per dimension"], "LDJ"),
        (["explain", "worst"], "worst"),
        (["selftest", "--help"], "Plant every mistake"),
        (["quiz", "signs", "--export", "sheet.ipynb"], ""),
        (["demo", "LDJ101"], "LDJ101"),
        (["flows.py:double", "--shape", "4", "--format", "html"], "<!doctype html>"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_was_built_runs_from_elsewhere(
    arguments: list[str], said: str, unpacked: Path, tmp_path: Path
) -> None:
    """Each of these commands reads another of the files that are no Python."""
    flows = "import torch\n\n\ndef double(x):\n    return 2 * x, torch.zeros(len(x))\n"
    (tmp_path / "flows.py").write_text(flows)
    ran = subprocess.run(
        [sys.executable, "-m", "ldjcheck", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stderr
    assert said.lower() in ran.stdout.lower()
    assert "Traceback" not in ran.stderr


def test_the_command_has_the_name_of_the_package(built: Path, tmp_path: Path) -> None:
    """`uvx --from WHEEL ldjcheck` and `pipx run --spec WHEEL ldjcheck` install it so."""
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(tmp_path), str(wheel)], check=True)
    ran = subprocess.run(
        [tmp_path / "bin" / "ldjcheck", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == ["ldjcheck", ldjcheck.__version__]
