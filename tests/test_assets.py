"""The static files: addresses by content, kept for ever; types; nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from app import assets
from tests.running_site import RunningSite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.js").write_text("1")
    (tmp_path / "b.css").write_text("2")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content"), [("js/a.js", "3"), ("c.js", "1"), ("js/a.txt", "")]
)
def test_any_change_of_a_file_changes_the_hash(folder: Path, name: str, content: str) -> None:
    before = assets.hash_of(folder)
    assert assets.HASH.fullmatch(before)
    assert assets.hash_of(folder) == before
    (folder / name).write_text(content)
    assert assets.hash_of(folder) != before


def test_what_has_no_known_type_is_no_static_file(folder: Path) -> None:
    before = assets.hash_of(folder)
    (folder / "notes.bak").write_text("secret")
    assert assets.hash_of(folder) == before
    assert [file.name for file in assets.files(folder)] == ["b.css", "a.js"]


def test_the_page_s_files_are_kept_for_ever_by_their_hash(site: RunningSite) -> None:
    origin = f"http://127.0.0.1:{site.port}"
    for path, kind in (
        ("js/worksheet.js", "text/javascript; charset=utf-8"),
        ("vendor/fonts/KaTeX_AMS-Regular.woff2", "font/woff2"),
    ):
        found = requests.get(origin + assets.address(path), timeout=30)
        assert found.content == (assets.FOLDER / path).read_bytes()
        assert found.headers["Content-Type"] == kind
        assert "immutable" in found.headers["Cache-Control"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("first", ["", "0123456789ab/"])
def test_other_names_work_but_are_not_kept(site: RunningSite, first: str) -> None:
    found = requests.get(f"http://127.0.0.1:{site.port}/static/{first}icon.svg", timeout=30)
    assert found.status_code == 200
    assert found.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["nothing.js", "../settings.py", "%2e%2e/settings.py", "js", "", "js/..%2f..%2fdb.py"]
)
def test_nothing_else_is_served(site: RunningSite, path: str) -> None:
    address = f"http://127.0.0.1:{site.port}{assets.address('')}{path}"
    with requests.Session() as session:
        asked = requests.Request("GET", address).prepare()
        asked.url = address  # as it is, dots and all
        assert session.send(asked, timeout=30).status_code == 404
