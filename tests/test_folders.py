"""The folders of worksheets: files outlive their sessions, come and go, and stay in their place."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests

from app import folders
from app.db import Database
from app.folders import FolderError
from app.settings import Settings
from app.wire.messages_pb2 import End, Finished, Restart, State
from tests.page_client import PATIENCE, Page, SignedIn
from tests.web_app import WebApp

LIMIT = 100_000_000


def post(user: SignedIn, path: str, data: Any = None) -> requests.Response:
    return user.http.post(
        f"{user.origin}{path}", data=data, headers={"Origin": user.origin}, timeout=PATIENCE
    )


def listed(user: SignedIn, worksheet: str) -> dict[str, int]:
    answer = user.http.get(f"{user.origin}/w/{worksheet}/files", timeout=PATIENCE)
    return {file["path"]: file["size"] for file in answer.json()["files"]}


def until_listed(user: SignedIn, worksheet: str, wanted: dict[str, int]) -> None:
    for _ in range(200):
        if (found := listed(user, worksheet)) == wanted:
            return
        gevent.sleep(0.05)
    raise AssertionError(found)


def upload(user: SignedIn, worksheet: str, path: str, data: bytes) -> requests.Response:
    """As the page does, in pieces; the last answer."""
    begun = {"path": path, "size": str(len(data)), "mark": "1"}
    answer = post(user, f"/w/{worksheet}/uploads", begun)
    while answer.ok and not answer.json()["complete"]:
        start = answer.json()["received"]
        address = f"/w/{worksheet}/uploads/{answer.json()['id']}?start={start}"
        answer = post(user, address, data[start : start + folders.PIECE])
    return answer


def end(page: Page) -> None:
    page.send(end=End())
    page.until_state(State.DEAD)


def printed(page: Page, code: str) -> str:
    run = page.start(code)
    status = page.finish(run).status
    assert status == Finished.OK, str(list(page.frames())[-3:])[:900]
    return page.printed(run)


def wait_in_session(page: Page, condition: str) -> None:
    """Until something isn't so any more, as the session sees it."""
    code = f"import os, time\nwhile {condition}: time.sleep(int(20) / int(1000))\nprint('seen')"
    assert printed(page, code) == "seen\n"


def test_files_outlive_their_session(page: Page, person: SignedIn) -> None:
    page.run("import os; os.mkdir('d'); open('d/a.txt', 'w').write('one'); open('.b', 'w')")
    until_listed(person, page.worksheet, {"d/a.txt": 3})
    end(page)
    assert printed(page, "print(open('d/a.txt').read())") == "one\n"
    page.run("open('d/a.txt', 'a').write('!'); os.listdir()")
    until_listed(person, page.worksheet, {"d/a.txt": 4})
    page.run("import os; os.remove('d/a.txt')")
    until_listed(person, page.worksheet, {})


@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_what_was_written_before_a_session_ended_is_kept(
    page: Page, person: SignedIn, how: str
) -> None:
    code = "open('late', 'w').write('4' * 1_000_000)\n"
    if how == "killed":
        page.run(code + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    else:
        page.start(code + "print('written')\nimport time; time.sleep(600)")
        page.until(lambda message: message.frame.stream.text == "written\n")
        page.send(restart=Restart())
        page.until_state(State.IDLE)
    until_listed(person, page.worksheet, {"late": 1_000_000})
    for _ in range(100):
        if printed(page, "import os; print(os.path.exists('late'))") == "True\n":
            break
        gevent.sleep(0.1)
    assert printed(page, "print(len(open('late').read()))") == "1000000\n"


def test_uploads_are_there_for_the_next_line(page: Page, person: SignedIn) -> None:
    data = bytes(range(256)) * 5000  # three pieces
    assert upload(person, page.worksheet, "data/numbers.bin", data).ok
    check = "f = open('data/numbers.bin', 'rb').read(); print(len(f), f[:3], f[-1])"
    assert printed(page, check) == f"{len(data)} b'\\x00\\x01\\x02' 255\n"
    assert not any(frame.HasField("files") for frame in page.frames())  # no run has written it
    # And in a session that runs
    assert upload(person, page.worksheet, "second", b"2").ok
    wait_in_session(page, "not os.path.exists('second')")
    assert printed(page, "open('second', 'a').write('+'); print(open('second').read())") == "2+\n"
    until_listed(person, page.worksheet, {"data/numbers.bin": len(data), "second": 2})


def test_people_rename_and_delete(page: Page, person: SignedIn) -> None:
    page.run("for name in 'ab': open(name, 'w').write(name)")
    until_listed(person, page.worksheet, {"a": 1, "b": 1})
    base = f"/w/{page.worksheet}/folder"
    assert post(person, f"{base}/rename", {"path": "a", "to": "b"}).status_code == 409
    assert post(person, f"{base}/rename", {"path": "a", "to": "../c"}).status_code == 409
    assert post(person, f"{base}/rename", {"path": "a", "to": "d/c"}).status_code == 204
    assert post(person, f"{base}/delete", {"path": "b"}).status_code == 204
    until_listed(person, page.worksheet, {"d/c": 1})
    wait_in_session(page, "os.path.exists('a') or os.path.exists('b')")
    assert printed(page, "print(open('d/c').read())") == "a\n"


@pytest.mark.parametrize("target", ["/etc", "/proc/1/root/tmp", "..", "/"])
def test_no_link_leads_out_of_the_folder(
    page: Page, person: SignedIn, target: str, tmp_path: Path
) -> None:
    name = f"salvus-escape-{uuid.uuid4()}"
    assert printed(page, f"import os; os.symlink('{target}', 'x'); print(1)") == "1\n"
    assert upload(person, page.worksheet, f"x/{name}", b"out").ok  # in the database alone
    assert upload(person, page.worksheet, "after", b"in").ok
    wait_in_session(page, "not os.path.exists('after')")
    for place in ("/etc", "/tmp", "/", "/root"):
        assert not (Path(place) / name).exists()
    assert "passwd" not in str(listed(person, page.worksheet))
    # A file that is a link by the time it is kept is not read
    page.run("import os; os.symlink('/etc/passwd', 'p'); os.symlink('/proc/self/environ', 'q')")
    page.run("1+1")
    assert set(listed(person, page.worksheet)) <= {f"x/{name}", "after"}


def test_an_upload_that_was_cut_off_goes_on(page: Page, person: SignedIn) -> None:
    data = b"7" * (2 * folders.PIECE)
    begin = {"path": "big", "size": str(len(data)), "mark": "of today"}
    path = f"/w/{page.worksheet}/uploads"
    first = post(person, path, begin).json()
    half = post(person, f"{path}/{first['id']}?start=0", data[: folders.PIECE]).json()
    assert half["received"] == folders.PIECE
    assert listed(person, page.worksheet) == {}
    again = post(person, path, begin).json()
    assert again == half
    repeated = post(person, f"{path}/{first['id']}?start=0", data[: folders.PIECE]).json()
    assert repeated == half
    other = post(person, path, {**begin, "mark": "of yesterday"}).json()
    assert other["received"] == 0
    gone = post(person, f"{path}/{first['id']}?start={folders.PIECE}", data[folders.PIECE :])
    assert gone.status_code == 409
    assert upload(person, page.worksheet, "big", data).ok
    assert listed(person, page.worksheet) == {"big": len(data)}


def test_a_folder_has_a_limit(database: Database, tmp_path: Path) -> None:
    web = WebApp(database, tmp_path, limits_folder="1000")
    client, _ = web.person("member")
    made = client.post("/worksheets", data={}).headers["Location"].rpartition("/")[2]
    begin = {"path": "a", "size": "600"}
    first = client.post(f"/w/{made}/uploads", data=begin).json
    assert first is not None
    sent = client.post(f"/w/{made}/uploads/{first['id']}?start=0", data=b"1" * 600)
    assert '"complete":true' in sent.text
    refused = client.post(f"/w/{made}/uploads", data={"path": "b", "size": "401"})
    assert refused.status_code == 409
    assert "delete something first" in refused.text
    assert client.post(f"/w/{made}/uploads", data={**begin, "size": "1000"}).status_code == 200
    shown = client.get(f"/w/{made}/files").json
    assert shown is not None
    assert shown["limit"] == 1000
    stranger, _ = web.person("member")
    assert stranger.get(f"/w/{made}/files").status_code == 404
    assert stranger.post(f"/w/{made}/uploads", data=begin).status_code == 404


@pytest.mark.parametrize(
    "path", ["", "/", "a/", "/a", "a//b", "..", "a/../b", ".a", "a/.b", "a\nb", "a\0", "x" * 501,
             "é" * 128]
)  # fmt: skip
def test_names_that_no_file_has(path: str) -> None:
    with pytest.raises(FolderError):
        folders.check_path(path)


@pytest.mark.parametrize("path", ["a", "a b.txt", "d/e/f", "große Zahlen.html", "a..b", "é" * 127])
def test_names_that_a_file_may_have(path: str) -> None:
    assert folders.check_path(path) == path


def test_copies_have_the_files(page: Page, person: SignedIn) -> None:
    page.run("open('a', 'w').write('one')")
    until_listed(person, page.worksheet, {"a": 3})
    answer = post(person, f"/w/{page.worksheet}/duplicate")
    assert answer.ok, answer.text
    listing = person.http.get(f"{person.origin}/worksheets", timeout=PATIENCE).text
    copies = [line for line in listing.split("/w/")[1:] if listed(person, line[:36]) == {"a": 3}]
    assert {line[:36] for line in copies} > {page.worksheet}


def test_settings_say_how_much(host_settings: Settings) -> None:
    assert host_settings.limits_of("guest").folder < host_settings.limits_of("member").folder
