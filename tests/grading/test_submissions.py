"""What is a submission, and what an archive may hold."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.made_class import zipped
from ldjcheck.grading.submissions import (
    UnreadableError,
    collect,
    safe_path,
    stem,
    unpack,
)

if TYPE_CHECKING:
    from pathlib import Path


def tarred(*members: tarfile.TarInfo, data: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def names(folder: Path, pattern: str | None = None) -> dict[str, list[str]]:
    return {s.name: sorted(s.files) for s in collect([folder], pattern)}


def test_each_entry_of_a_folder_is_a_submission(tmp_path: Path) -> None:
    (tmp_path / "anna.py").write_text("a")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "flows.py").write_text("b")
    (tmp_path / "bert" / "__pycache__").mkdir()
    (tmp_path / "bert" / "__pycache__" / "flows.pyc").write_text("b")
    (tmp_path / "carl.zip").write_bytes(zipped({"sheet/flows.py": "c"}))
    (tmp_path / "readme.txt").write_text("no submission")
    (tmp_path / ".hidden.py").write_text("none either")
    assert names(tmp_path) == {
        "anna": ["anna.py"],
        "bert": ["flows.py"],
        "carl": ["sheet/flows.py"],
    }


def test_a_folder_with_the_graded_file_is_one_submission(tmp_path: Path) -> None:
    for name in ("flows.py", "nets.py"):
        (tmp_path / name).write_text(name)
    assert names(tmp_path, "flows.py") == {tmp_path.name: ["flows.py", "nets.py"]}
    assert set(names(tmp_path)) == {"flows", "nets"}


def test_an_archive_of_a_class_holds_a_submission_for_each_top(tmp_path: Path) -> None:
    inner = zipped({"flows.py": "c"})
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr("Anna_1_file/flows.py", "a")
        archive.writestr("Bert_2_file/flows.zip", inner)
        archive.writestr("carl.zip", inner)
    assert names(tmp_path / "class.zip") == {
        "Anna_1_file": ["flows.py"],
        "Bert_2_file": ["flows.py"],
        "carl": ["flows.py"],
    }


def test_two_submissions_of_one_name_stay_two(tmp_path: Path) -> None:
    (tmp_path / "anna.py").write_text("a")
    (tmp_path / "anna.zip").write_bytes(zipped({"flows.py": "b"}))
    assert sorted(names(tmp_path)) == ["anna", "anna (2)"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="has no links")
def test_nothing_is_fetched_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_text("the answers")
    (tmp_path / "class" / "anna").mkdir(parents=True)
    (tmp_path / "class" / "anna" / "flows.py").symlink_to(tmp_path / "solution.py")
    (tmp_path / "class" / "anna" / "own.py").write_text("mine")
    (tmp_path / "class" / "bert.py").symlink_to(tmp_path / "solution.py")
    found = {s.name: s for s in collect([tmp_path / "class"], None)}
    assert list(found["anna"].files) == ["own.py"]
    assert found["bert"].problem == "it is a link"


@pytest.mark.parametrize(
    "path",
    ["../flows.py", "/etc/passwd", "a/../../b", "C:\\flows.py", "..\\flows.py", ""],
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(UnreadableError):
        safe_path(path)


@given(st.text(max_size=30))
def test_a_path_is_refused_or_stays_inside(path: str) -> None:
    try:
        safe = safe_path(path)
    except UnreadableError:
        return
    inside = os.path.realpath(os.path.join("/home", safe.replace("\0", "")))
    assert inside.startswith("/home/")
    assert ".." not in safe.split("/")


def test_links_and_devices_of_an_archive_are_left_out() -> None:
    link = tarfile.TarInfo("link.py")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("device.py")
    device.type = tarfile.CHRTYPE
    hard = tarfile.TarInfo("hard.py")
    hard.type, hard.linkname = tarfile.LNKTYPE, "flows.py"
    plain = tarfile.TarInfo("flows.py")
    assert list(unpack(tarred(link, device, plain, hard), "a.tar.gz")) == ["flows.py"]


def test_an_archive_that_swells_is_given_up() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bin", bytes(2**26 + 1))
    assert len(data.getvalue()) < 2**17
    with pytest.raises(UnreadableError, match="holds more than"):
        unpack(data.getvalue(), "bomb.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_what_is_no_archive_is_said_to_be_none(name: str) -> None:
    with pytest.raises(UnreadableError, match="no archive that can be read"):
        unpack(b"PK\x03\x04 nonsense", name)
    assert stem(name) == "a"
