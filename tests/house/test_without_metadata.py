"""A copied folder, a zipapp, a frozen program: the package works without the metadata that has its version."""

import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

import voiso_async

PACKAGE = Path(voiso_async.__file__).parent
PROGRAM = """
import asyncio, importlib.metadata, sys
from voiso_async import VoisoClient, __version__
from voiso_async.sandbox import Sandbox

try:
    importlib.metadata.version("voiso-async")
except importlib.metadata.PackageNotFoundError:
    print("no metadata")

async def main():
    async with Sandbox() as sandbox:
        sandbox.add_campaign(id=3)
        async with VoisoClient(sandbox.key, base_url=sandbox.url) as voiso:
            print([campaign.id for campaign in await voiso.campaigns.list()])
            print(await voiso.leads.add(3, ["441632960123"]))

asyncio.run(main())
print(__version__)
"""


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """Everything that is installed here except this package."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    for place in filter(os.path.isdir, sys.path):
        if "site-packages" in place:
            for found in Path(place).iterdir():
                if "voiso" not in found.name and not found.name.endswith(".pth"):
                    (folder / found.name).symlink_to(found)
    return folder


def run(*words: str, path: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-S", *words], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr[-2000:]
    return done.stdout


def test_a_copied_folder_makes_requests_and_knows_its_version(tmp_path: Path, libraries: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "copied" / "voiso_async")
    path = f"{tmp_path / 'copied'}:{libraries}"
    assert run("-c", PROGRAM, path=path).split("\n")[:4] == [
        "no metadata",
        "[3]",
        "created 1",
        voiso_async.__version__,
    ]
    assert voiso_async.__version__ in run("-m", "voiso_async.cli", "--version", path=path)


def test_a_zipapp_makes_requests_and_knows_its_version(tmp_path: Path, libraries: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "app" / "voiso_async")
    (tmp_path / "app" / "__main__.py").write_text(PROGRAM)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    assert run(str(tmp_path / "app.pyz"), path=str(libraries)).split("\n")[:4] == [
        "no metadata",
        "[3]",
        "created 1",
        voiso_async.__version__,
    ]
