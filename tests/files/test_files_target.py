"""New files: whole or not at all, private, and never in the place of another."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from voiso_async import ConfigurationError
from voiso_async.files import write_results
from voiso_async.files.atomic_file import AtomicFile
from voiso_async.ingest.outcome import Outcome
from voiso_async.outbox.jobs import JobOutcome


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def outcomes(count: int = 1) -> AsyncIterator[JobOutcome]:
    for index in range(count):
        yield JobOutcome(index=index, outcome=Outcome.CREATED, campaign=3)


@pytest.mark.row(185)
async def test_a_file_appears_when_it_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    before = os.umask(0)
    try:
        async with AtomicFile(path) as file:
            await file.write(b"one ")
            assert not path.exists()
            assert [name for name in names_in(tmp_path) if name.startswith(".results.csv.")] == names_in(tmp_path)
            await file.write(b"two")
    finally:
        os.umask(before)
    assert ["results.csv"] == names_in(tmp_path)
    assert (b"one two", 0o600) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))


@pytest.mark.row(185)
@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder", "device"])
async def test_a_name_that_is_taken_stays(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "results.csv", tmp_path / "other"
    if kind == "device":
        path = Path("/dev/null")
    elif kind == "file":
        path.write_text("kept")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text("kept")
    before = names_in(tmp_path)
    with pytest.raises(ConfigurationError, match="there is such a file already, and it stays"):
        await write_results(path, outcomes())
    assert before == names_in(tmp_path)
    assert kind != "link" or "kept" == other.read_text()


@pytest.mark.row(185)
async def test_replacing_is_one_step_and_follows_no_link(tmp_path: Path) -> None:
    path, other = tmp_path / "results.csv", tmp_path / "other"
    other.write_text("kept")
    path.symlink_to(other)
    await write_results(path, outcomes(), overwrite=True)
    assert ("kept", False) == (other.read_text(), path.is_symlink())
    await write_results(path, outcomes(2), overwrite=True)
    assert 3 == len(path.read_text().splitlines())


@pytest.mark.row(185)
@pytest.mark.parametrize("path", ["/dev/null", "/dev/full", "."])
async def test_what_is_no_file_is_never_replaced(path: str) -> None:
    with pytest.raises(ConfigurationError, match="it is no ordinary file and stays"):
        await write_results(path, outcomes(), overwrite=True)


@pytest.mark.row(185)
@pytest.mark.parametrize("links", [True, False])
async def test_a_name_that_is_taken_meanwhile_stays(
    tmp_path: Path, *, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.csv"
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _refusing(errno.EPERM))

    async def too_late() -> AsyncIterator[JobOutcome]:
        async for one in outcomes():
            yield one
        path.write_text("theirs")

    with pytest.raises(ConfigurationError, match="there is such a file already"):
        await write_results(path, too_late())
    assert (["results.csv"], "theirs") == (names_in(tmp_path), path.read_text())


async def test_a_folder_without_links_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refusing(errno.EPERM))
    assert 5 == await write_results(tmp_path / "results.csv", outcomes(5))
    assert ["results.csv"] == names_in(tmp_path)


def _refusing(code: int) -> Any:
    def refuse(*_: object) -> None:
        raise OSError(code, "private words of the system")

    return refuse


@pytest.mark.row(185)
@pytest.mark.parametrize(
    ("attribute", "code", "says"),
    [
        ("fsync", errno.EIO, "input/output error"),
        ("write", errno.ENOSPC, "no space left on device"),
        ("open", errno.EACCES, "permission denied"),
    ],
)
async def test_what_the_system_refuses_leaves_nothing_behind(
    tmp_path: Path, attribute: str, code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, attribute, _refusing(code))
        with pytest.raises(ConfigurationError) as caught:
            await write_results(tmp_path / "results.csv", outcomes())
    assert f"results.csv: it cannot be written: {says}; no outcome is lost by that" == str(caught.value)
    assert [] == names_in(tmp_path)
    assert caught.value.__cause__ is None


@pytest.mark.row(185)
async def test_a_link_that_fails_for_another_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refusing(errno.EDQUOT))
    with pytest.raises(ConfigurationError, match="it cannot be written"):
        await write_results(tmp_path / "results.csv", outcomes())
    assert [] == names_in(tmp_path)


@pytest.mark.row(185)
@pytest.mark.parametrize("name", ["nowhere/results.csv", "file/results.csv", "x" * 300, "a\0b"])
async def test_a_place_where_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="it cannot be written"):
        await write_results(tmp_path / name, outcomes())
    assert ["file"] == names_in(tmp_path)


@pytest.mark.row(185)
async def test_a_disk_that_is_full() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(ConfigurationError, match=r"file descriptor [0-9]+: it cannot be written: no space left"):
        await write_results(full, outcomes())
    os.close(full)


@pytest.mark.row(185)
def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    code = f"""
import asyncio, resource, signal
from voiso_async import ConfigurationError
from voiso_async.files.atomic_file import AtomicFile
async def main():
    async with AtomicFile({str(tmp_path / "results.csv")!r}) as file:
        for _ in range(100):
            await file.write(b"x" * 1000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    asyncio.run(main())
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    assert "results.csv: it cannot be written: file too large; no outcome is lost by that\n" == done.stdout
    assert [] == names_in(tmp_path)


async def test_a_source_that_fails_or_is_left_leaves_nothing_behind(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[JobOutcome]:
        async for one in outcomes(1500):
            yield one
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await write_results(tmp_path / "results.csv", failing())
    assert [] == names_in(tmp_path)

    async def endless() -> AsyncIterator[JobOutcome]:
        async for one in outcomes(1500):
            yield one
        await anyio.sleep_forever()

    with anyio.move_on_after(0.2) as scope:
        await write_results(tmp_path / "results.csv", endless())
    assert scope.cancelled_caught
    assert [] == names_in(tmp_path)


async def test_a_descriptor_is_written_as_it_comes_and_stays_open(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    assert 2 == await write_results(descriptor, outcomes(2), format="jsonl")
    assert 1 == await write_results(descriptor, outcomes())
    lines = os.pread(descriptor, 1000, 0).splitlines()
    os.close(descriptor)
    assert [b'{"index":0,"campaign":3,"outcome":"created"}', b'"row","campaign"'] == [lines[0], lines[2][:16]]


async def test_the_folder_of_a_new_file_is_made_to_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    await write_results(tmp_path / "results.csv", outcomes())
    assert [False, True] == synced
