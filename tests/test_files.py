"""Files that a run writes are offered, can be fetched, and lead nowhere else."""

from __future__ import annotations

import pytest
import requests

from app.wire.messages_pb2 import Files
from tests.page_client import PATIENCE, Page, SignedIn


def offered(page: Page) -> list[Files]:
    return [frame.files for frame in page.frames() if frame.HasField("files")]


def names(files: Files) -> list[tuple[str, int]]:
    return [(file.path, file.size) for file in files.files]


def fetch(person: SignedIn, page: Page, path: str) -> requests.Response:
    address = f"{person.origin}/w/{page.worksheet}/files/{path}"
    return person.http.get(address, timeout=PATIENCE)


def test_what_a_run_has_written_is_offered_once(page: Page) -> None:
    page.run("open('a.txt', 'w').write('one')\nimport os; os.mkdir('d'); os.mkdir('.hidden')")
    page.run("open('d/b', 'w').write('four'); open('.x', 'w').write('-'); 1+1")
    page.run("2+2")
    page.run("open('a.txt', 'a').write('+')")
    assert [names(files) for files in offered(page)] == [
        [("a.txt", 3)], [("d/b", 4)], [("a.txt", 4)],
    ]  # fmt: skip


def test_of_very_many_some_are_listed(page: Page) -> None:
    page.run("for i in range(60): open(f'f{i:02}', 'w').close()")
    (files,) = offered(page)
    assert len(files.files) == 50
    assert files.more == 10


def test_a_file_comes_whole_and_as_an_attachment(page: Page, person: SignedIn) -> None:
    page.run("open('große Zahlen.html', 'w').write('<script>' + '7' * 3_000_000)")
    answer = fetch(person, page, "gro%C3%9Fe%20Zahlen.html")
    assert answer.text == "<script>" + "7" * 3_000_000
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_saved_plots_can_be_fetched(page: Page, person: SignedIn) -> None:
    page.run("plot(sin).save('sine.png')")
    assert fetch(person, page, "sine.png").content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "make",
    [
        "os.symlink('/etc/passwd', 'x')",
        "os.symlink('/proc/self/environ', 'x')",
        "os.symlink('../../etc/passwd', 'x')",
        "os.mkdir('x')",
        "os.symlink('x', 'x')",
        "None",
    ],
)
def test_what_is_no_file_at_home_can_not_be_fetched(
    page: Page, person: SignedIn, make: str
) -> None:
    page.run(f"import os; {make}")
    assert fetch(person, page, "x").status_code == 404
    assert fetch(person, page, "%2e%2e/%2e%2e/etc/passwd").status_code == 404


def test_links_that_stay_at_home_are_followed(page: Page, person: SignedIn) -> None:
    page.run("import os; open('f', 'w').write('1'); os.symlink('f', 'g')")
    assert fetch(person, page, "g").text == "1"


def test_files_of_others_are_not_there(page: Page, person: SignedIn) -> None:
    page.run("open('f', 'w').write('1')")
    stranger = requests.Session()
    address = f"{person.origin}/w/{page.worksheet}/files/f"
    assert stranger.get(address, timeout=PATIENCE).status_code == 403
