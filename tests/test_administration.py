"""What administrators see and do, at the pages and at the command line; the database is real."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import accounts, audit, documents, people, people_commands, roles, session_commands
from app.browsers import Browser
from app.db import Database
from tests.web_app import WebApp

Run = Callable[..., Result]


@pytest.fixture
def web(database: Database, tmp_path: Path) -> WebApp:
    return WebApp(database, tmp_path)


@pytest.fixture
def run(web: WebApp) -> Run:
    """A command, as an operator gives it."""
    site = web.settings, web.database, "http://site"
    known = {
        command.name: command
        for command in (
            *people_commands.commands(lambda: site), *session_commands.all_commands(lambda: site)
        )
    }

    def act(name: str, *arguments: str) -> Result:
        return CliRunner().invoke(known[name], arguments)

    return act


def address(account: str, act: str = "") -> str:
    return f"/administration/people/{account}" + (f"/{act}" if act else "")


def note(web: WebApp, action: str, actor: str, subject: str = "", age: str = "0 s") -> None:
    with web.database.transaction() as cursor:
        audit.note(cursor, actor=actor, action=action, subject=subject)
        cursor.execute(
            "UPDATE audit SET time = now() - %s::interval"
            " WHERE id = (SELECT max(id) FROM audit)",
            (age,),
        )


def lines(web: WebApp) -> list[tuple[str, str, str, str]]:
    """The audit log, oldest first: actor, action, subject, detail."""
    with web.database.reading() as cursor:
        found = audit.entries(cursor)
    return [(one.actor, one.action, one.subject, one.detail) for one in reversed(found)]


def run_of(web: WebApp, account: str, *, seconds: float, age: str = "1 hour") -> None:
    with web.database.transaction() as cursor:
        worksheet = documents.create(cursor, account)
        cursor.execute(
            "INSERT INTO runs (id, session, worksheet, cell, code, queued, started, finished)"
            " SELECT gen_random_uuid(), gen_random_uuid(), %s, gen_random_uuid(), '', at, at,"
            " at + make_interval(secs => %s) FROM (SELECT now() - %s::interval AS at) AS moment",
            (worksheet, seconds, age),
        )


# --- People ------------------------------------------------------------------------


def test_people_are_searched_and_paged(web: WebApp) -> None:
    client, _ = web.person("administrator", "Ada")
    for number in range(60):
        web.person("member", f"Person {number:02}")
    first = client.get("/administration").text
    assert "Person 48" in first
    assert "Person 49" not in first
    rest = client.get("/administration?words=person&page=1").text
    assert ("Person 49" in rest, "Person 50" in rest, "Person 59" in rest) == (False, True, True)
    found = client.get("/administration?words=PERSON+07").text
    assert ("Person 07" in found, "Person 08" in found) == (True, False)
    assert "Person 07" not in client.get("/administration?role=teacher").text
    assert "Nobody is like that." in client.get("/administration?state=computing").text
    assert client.get("/administration?page=-1").status_code == 200


@pytest.mark.parametrize(
    "words", ["%", "_", "'", "\\", "nobody", "\0", "' OR true --", "<script>alert(1)</script>"]
)
def test_what_is_searched_for_is_text(web: WebApp, words: str) -> None:
    client, _ = web.person("administrator", "Ada")
    answer = client.get("/administration", query_string={"words": words})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    found = "Nobody is like that." not in answer.text
    assert found == (words.strip("\0") == "")


def test_a_page_of_people_tells_what_they_use(web: WebApp) -> None:
    client, _ = web.person("administrator")
    _, account = web.person("member", "Emmy")
    run_of(web, account, seconds=90)
    run_of(web, account, seconds=30)
    run_of(web, account, seconds=500, age="2 days")
    for path in ("/administration", address(account)):
        assert "2 (2 min 0 s)" in client.get(path).text


def test_who_may_look(web: WebApp) -> None:
    _, account = web.person("member")
    paths = ("/administration", address(account), "/administration/audit")
    for role in roles.ROLES:
        client, _ = web.person(role)
        for path in paths:
            allowed = role in roles.ADMINISTRATORS
            assert client.get(path).status_code == (200 if allowed else 403)
        home = client.get("/account").text
        assert ('href="/administration"' in home) == (role in roles.ADMINISTRATORS)
    nowhere = client.get(address(str(uuid.uuid4())))
    assert nowhere.status_code == 403
    owner, _ = web.person("owner")
    assert owner.get(address(str(uuid.uuid4()))).status_code == 404


# --- Data --------------------------------------------------------------------------


def test_data_are_exported_of_whom_one_governs(web: WebApp) -> None:
    client, actor = web.person("administrator", "Ada")
    _, account = web.person("member", "Emmy")
    with web.database.transaction() as cursor:
        documents.create(cursor, account, "Rings")
    answer = client.get(address(account, "export"))
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert any("Rings" in name for name in archive.namelist())
    assert lines(web) == [("Ada", "exported the account", "Emmy", "")]
    _, owner = web.person("owner")
    for other in (owner, actor):
        assert client.get(address(other, "export")).status_code == 403
        assert "Download all of it" not in client.get(address(other)).text


# --- What is done to people --------------------------------------------------------

ACTS = {
    "role": {"role": "teacher"},
    "disable": {"because": "It was shared."},
    "enable": {},
    "sign-out": {},
    "password-link": {},
    "delete": {"name": "Subject"},
    "limits": {"limit": "memory", "value": "900 GiB", "lasting": "3d", "reason": "A thesis"},
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("actor", ["owner", "administrator"])
@pytest.mark.parametrize("subject", roles.ROLES[:4])
def test_one_acts_only_on_whom_one_is_above(
    web: WebApp, act: str, actor: str, subject: str
) -> None:
    client, _ = web.person(actor)
    _, account = web.person(subject, "Subject")
    may = roles.may_govern(actor, subject)
    answer = client.post(address(account, act), data=ACTS[act])
    assert (answer.status_code in (200, 303)) == may
    assert len(lines(web)) == may
    forms = f'/{account}/disable"' in client.get(address(account)).text
    assert forms == (may and act not in ("disable", "delete"))


@pytest.mark.parametrize(
    ("actor", "role", "may"),
    [
        ("owner", "administrator", True),
        ("owner", "owner", False),
        ("owner", "guest", False),
        ("owner", "", False),
        ("owner", "king", False),
        ("administrator", "teacher", True),
        ("administrator", "administrator", False),
        ("administrator", "owner", False),
    ],
)
def test_roles_that_one_may_give(web: WebApp, actor: str, role: str, may: bool) -> None:
    client, _ = web.person(actor)
    _, account = web.person("member", "Emmy")
    answer = client.post(address(account, "role"), data={"role": role})
    assert answer.status_code == (303 if may else 403)
    with web.database.reading() as cursor:
        found = people.person(cursor, account)
    assert found
    assert found.role == (role if may else "member")
    offered = f'<option value="{role}"' in client.get(address(account)).text
    assert offered == may or role == ""


def test_who_is_disabled_is_out_at_once_and_told_why(web: WebApp) -> None:
    client, _ = web.person("administrator", "Ada")
    theirs, account = web.person("member", "Emmy")
    with web.database.reading() as cursor:
        [signed_in] = accounts.sign_ins(cursor, account)
    page = Browser(account=account, kind="member", worksheet="", outbox=1, sign_in=signed_in.hash)
    web.browsers.add(page)
    client.post(address(account, "disable"), data={"because": " It was\nshared. "})
    assert page.dismissed == "disabled: It was shared."
    assert theirs.get("/worksheets").status_code == 403
    assert "It was shared." in client.get(address(account)).text
    assert "Emmy" in client.get("/administration?state=disabled").text
    client.post(address(account, "enable"))
    assert "It was shared." not in client.get(address(account)).text.partition("Lately")[0]
    assert lines(web) == [
        ("Ada", "disabled", "Emmy", "It was shared."), ("Ada", "enabled", "Emmy", ""),
    ]  # fmt: skip


def test_a_reason_has_an_end(web: WebApp) -> None:
    client, _ = web.person("owner")
    _, account = web.person("member", "Emmy")
    answer = client.post(address(account, "disable"), data={"because": "x" * 501})
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert lines(web) == []


def test_a_link_for_another_password_is_shown_once(web: WebApp) -> None:
    client, _ = web.person("administrator")
    _, account = web.person("member", "Emmy")
    shown = client.post(address(account, "password-link")).text
    link = shown.partition('value="http://localhost/password/')[2].partition('"')[0]
    assert web.client().get(f"/password/{link}").status_code == 200
    assert link not in client.get(address(account)).text
    _, guest = web.person("guest")
    assert client.post(address(guest, "password-link")).status_code == 403


def test_limits_are_raised_shown_and_taken_back(web: WebApp) -> None:
    client, _ = web.person("administrator", "Ada")
    theirs, account = web.person("member", "Emmy")
    form = {"limit": "sessions", "value": "77", "lasting": "2h", "reason": "An exam"}
    assert client.post(address(account, "limits"), data=form).status_code == 303
    for shown in (client.get(address(account)).text, theirs.get("/account").text):
        assert ">77<" in shown
        assert ": An exam" in shown
    assert client.post(address(account, "limits/sessions/take-back")).status_code == 303
    assert ">77<" not in client.get(address(account)).text
    assert client.post(address(account, "limits/sessions/take-back")).status_code == 404
    assert [line[:3] for line in lines(web)] == [
        ("Ada", "raised a limit of", "Emmy"), ("Ada", "took back a raised limit of", "Emmy"),
    ]  # fmt: skip
    _, owner = web.person("owner")
    assert client.post(address(owner, "limits/sessions/take-back")).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{"limit": "beer"}, {"value": "much"}, {"value": "1"}, {"lasting": "ever"}, {"reason": " "}],
)
def test_what_can_t_be_raised_is_told_and_kept(web: WebApp, wrong: dict[str, str]) -> None:
    client, _ = web.person("owner")
    _, account = web.person("member")
    form = {"limit": "memory", "value": "900 GiB", "lasting": "3d", "reason": "A thesis"} | wrong
    answer = client.post(address(account, "limits"), data=form)
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    for name in ("value", "lasting", "reason"):
        assert f'name="{name}" value="{form[name]}"' in answer.text
    assert lines(web) == []


@pytest.mark.parametrize(
    ("typed", "status"),
    [("Emmy Noether", 303), (" Emmy  Noether ", 303), ("emmy noether", 400), ("", 400)],
)
def test_who_is_to_be_deleted_is_typed(web: WebApp, typed: str, status: int) -> None:
    client, _ = web.person("owner")
    theirs, account = web.person("member", "Emmy Noether")
    answer = client.post(address(account, "delete"), data={"name": typed})
    assert answer.status_code == status
    is_gone = status == 303
    assert client.get(address(account)).status_code == (404 if is_gone else 200)
    assert theirs.get("/worksheets").status_code == (403 if is_gone else 200)
    assert lines(web) == ([("Owner", "deleted the account", account, "")] if is_gone else [])


def test_who_is_signed_out_may_come_in_again(web: WebApp) -> None:
    client, _ = web.person("administrator", "Ada")
    theirs, account = web.person("member", "Emmy")
    client.post(address(account, "sign-out"))
    assert theirs.get("/worksheets").status_code == 403
    assert web.browser_of(account).get("/worksheets").status_code == 200
    assert lines(web) == [("Ada", "signed out everywhere", "Emmy", "1 browsers")]


# --- The audit log -----------------------------------------------------------------


@pytest.fixture
def noted(web: WebApp) -> tuple[str, str]:
    """Two people, and what they did."""
    _, ada = web.person("member", "Ada")
    _, emmy = web.person("member", "Emmy")
    note(web, "signed in", ada, age="3 days")
    note(web, "signed in", emmy, age="1 day")
    note(web, "disabled", "operator", ada, age="2 h")
    return ada, emmy


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), ["Ada signed in", "Emmy signed in", "operator disabled Ada"]),
        (("--kind", "sign-ins"), ["Ada signed in", "Emmy signed in"]),
        (("--kind", "administration"), ["operator disabled Ada"]),
        (("--since", "36h"), ["Emmy signed in", "operator disabled Ada"]),
        (("--person", "ada"), ["Ada signed in", "operator disabled Ada"]),
        (("--who", "Emmy"), ["Emmy signed in"]),
        (("--person", "ada", "--kind", "sign-ins", "--since", "1h"), []),
        (("--limit", "1"), ["operator disabled Ada"]),
    ],
)
def test_the_log_at_the_command_line(
    noted: tuple[str, str], run: Run, arguments: tuple[str, ...], shown: list[str]
) -> None:
    result = run("audit", *arguments)
    assert result.exit_code == 0, result.output
    assert [line[21:] for line in result.output.splitlines()] == shown
    entries = json.loads(run("audit", "--json", *arguments).output)
    assert [" ".join(filter(None, (one["actor"], one["action"], one["subject"])))
            for one in entries] == shown  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--person", "nobody"), "nobody is called nobody"),
        (("--since", "yesterday"), "expected how long ago, as 30s, 10min, 2h or 7d"),
        (("--kind", "murders"), "'murders' is not one of 'sign-ins', 'administration'"),
    ],
)
def test_mistakes_at_the_command_line(
    run: Run, arguments: tuple[str, ...], complaint: str
) -> None:
    result = run("audit", *arguments)
    assert result.exit_code != 0
    assert complaint in result.output


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, 3),
        ({"kind": "sign-ins"}, 2),
        ({"kind": "administration"}, 1),
        ({"who": "Ada"}, 2),
        ({"who": "nobody"}, 0),
        ({"since": "2999-01-01"}, 0),
        ({"since": "2020-01-01"}, 3),
        ({"since": "soon"}, 3),
        ({"kind": "murders", "before": "x"}, 3),
    ],
)
def test_the_log_as_a_page(
    web: WebApp, noted: tuple[str, str], query: dict[str, str], shown: int
) -> None:
    client, _ = web.person("administrator")
    text = client.get("/administration/audit", query_string=query).text
    assert text.count('data-label="Did what"') == shown


def test_the_log_is_paged(web: WebApp) -> None:
    client, actor = web.person("administrator")
    for number in range(130):
        note(web, f"did number {number}", actor)
    first = client.get("/administration/audit").text
    assert ("number 129<" in first, "number 30<" in first, "number 29<" in first) == (
        True, True, False,
    )  # fmt: skip
    older = first.partition("Older lines")[0].rpartition('href="')[2].partition('"')[0]
    second = client.get(older.replace("&amp;", "&")).text
    assert ("number 29<" in second, "number 30<" in second, "Older lines" in second) == (
        True, False, False,
    )  # fmt: skip


def test_who_is_gone_is_found_in_the_log_by_id(
    web: WebApp, noted: tuple[str, str], run: Run
) -> None:
    account = noted[0]
    with web.database.transaction() as cursor:
        people.delete(cursor, account, actor=audit.OPERATOR)
    assert f"operator deleted the account {account}" in run("audit", "--person", account).output
    client, _ = web.person("administrator")
    text = client.get("/administration/audit", query_string={"who": account}).text
    assert "deleted the account" in text
    assert "Ada" not in text


# --- The command line --------------------------------------------------------------


def test_people_at_the_command_line(web: WebApp, run: Run) -> None:
    web.person("member", "Emmy Noether")
    web.person("teacher", "Ada Lovelace")
    assert [one["name"] for one in json.loads(run("people", "--json").output)] == [
        "Ada Lovelace", "Emmy Noether",
    ]  # fmt: skip
    assert "Ada" not in run("people", "noether").output
    assert "Emmy" not in run("people", "--role", "teacher").output
    assert run("people", "--state", "disabled").output == ""


def test_nobody_is_made_a_guest_whose_data_would_go(web: WebApp, run: Run) -> None:
    web.person("member", "Emmy")
    result = run("role", "Emmy", "guest")
    assert result.exit_code == 2
    assert "'guest' is not one of" in result.output


@pytest.mark.parametrize(
    "name",
    ["people", "invite", "join-code", "reset-password", "role", "disable", "enable", "sign-out",
     "delete", "export-person", "audit", "sessions", "end-session"],
)  # fmt: skip
def test_every_command_explains_itself(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4


# --- Invitations -------------------------------------------------------------------

INVITATIONS = "/administration/invitations"


@pytest.mark.parametrize(
    ("actor", "role", "kind", "may"),
    [
        ("owner", "administrator", "link", True),
        ("owner", "administrator", "code", False),
        ("owner", "teacher", "code", True),
        ("owner", "owner", "link", False),
        ("administrator", "teacher", "link", True),
        ("administrator", "administrator", "link", False),
        ("administrator", "member", "code", True),
        ("administrator", "guest", "link", False),
        ("administrator", "", "code", False),
    ],
)
def test_with_which_roles_one_invites(
    web: WebApp, actor: str, role: str, kind: str, may: bool
) -> None:
    client, _ = web.person(actor)
    form = {"role": role, "seats": "3", "days": "2"}
    answer = client.post(f"{INVITATIONS}/{kind}", data=form)
    assert answer.status_code == (200 if may else 403)
    assert len(lines(web)) == may


def test_a_link_is_made_shown_once_used_and_revoked(web: WebApp) -> None:
    client, _ = web.person("owner")
    made = client.post(f"{INVITATIONS}/link", data={"role": "teacher"}).text
    token = made.partition("http://localhost/join/")[2].partition('"')[0]
    listed = client.get(INVITATIONS).text
    assert token not in listed
    revoke = listed.partition(f'action="{INVITATIONS}/link/')[2].partition('"')[0]
    assert web.client().get(f"/join/{token}").status_code == 200
    assert client.post(f"{INVITATIONS}/link/{revoke}").status_code == 303
    assert web.client().get(f"/join/{token}").status_code == 404
    assert client.post(f"{INVITATIONS}/link/{revoke}").status_code == 404
    assert [line[1:] for line in lines(web)] == [
        ("invited", "", "teacher"), ("revoked an invitation", "", "teacher"),
    ]  # fmt: skip


def test_a_code_is_made_and_revoked(web: WebApp) -> None:
    client, _ = web.person("administrator")
    form = {"role": "member", "seats": "3", "days": "2", "title": " Algebra\x00  I "}
    text = client.post(f"{INVITATIONS}/code", data=form).text
    assert "Algebra I" in text
    assert "0 of 3" in text
    revoke = text.partition(f'action="{INVITATIONS}/code/')[2].partition('"')[0]
    code = revoke.partition("/")[0]
    assert web.client().get(f"/join/{code}").status_code == 200
    assert client.post(f"{INVITATIONS}/code/{revoke}").status_code == 303
    assert web.client().get(f"/join/{code}").status_code == 404
    assert client.post(f"{INVITATIONS}/code/{revoke}").status_code == 404


def test_nobody_revokes_what_gives_a_role_not_below_their_own(web: WebApp) -> None:
    owner, _ = web.person("owner")
    client, _ = web.person("administrator")
    owner.post(f"{INVITATIONS}/link", data={"role": "administrator"})
    assert "/revoke" not in client.get(INVITATIONS).text
    with web.database.reading() as cursor:
        [one] = accounts.invitations(cursor)
    assert client.post(f"{INVITATIONS}/link/{one.hash.hex()}/revoke").status_code == 403


@pytest.mark.parametrize(
    ("seats", "days"), [("0", "1"), ("10001", "1"), ("x", "1"), ("", ""), ("1", "0"),
                        ("1", "nan"), ("1", "366"), ("1", "inf")],
)  # fmt: skip
def test_codes_have_an_end(web: WebApp, seats: str, days: str) -> None:
    client, _ = web.person("owner")
    form = {"role": "member", "seats": seats, "days": days}
    answer = client.post(f"{INVITATIONS}/code", data=form)
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert lines(web) == []


# --- Sessions ----------------------------------------------------------------------


def session_of(web: WebApp, account: str, role: str = "member") -> str:
    """A session that lives, as its sage server has recorded it."""
    id = str(uuid.uuid4())
    with web.database.transaction() as cursor:
        worksheet = documents.create(cursor, account, "Rings") if account else str(uuid.uuid4())
        cursor.execute(
            "INSERT INTO sessions (id, worksheet, server, language, started, account, kind)"
            " VALUES (%s, %s, '127.0.0.1:1', 'Sage', now(), %s, %s)",
            (id, worksheet, account, role),
        )
        cursor.execute(
            "INSERT INTO session_use VALUES (%s, '127.0.0.1:1', 'busy', 90, 99.5, 2000000, 3,"
            " now() - interval '70 s')",
            (id,),
        )
    return id


def end(client: FlaskClient, session: str, reason: str = "Enough.") -> TestResponse:
    return client.post(
        "/administration/sessions/end", data={"session": session, "reason": reason}
    )


def test_sessions_and_what_they_use(web: WebApp, run: Run) -> None:
    client, _ = web.person("administrator")
    _, account = web.person("member", "Emmy")
    id = session_of(web, account)
    text = " ".join(client.get("/administration/sessions").text.split())
    for words in (">Emmy</a>", "Rings", "busy", "100 %", "1 min 30 s", "2.0 MB", "1 min 10 s"):
        assert words in text
    listed = json.loads(run("sessions", "--json").output)
    assert [(one["id"], one["name"], one["silent"]) for one in listed] == [(id, "Emmy", True)]
    assert "Emmy" in run("sessions", "--person", "Emmy").output


@pytest.mark.parametrize(
    ("actor", "role", "may"),
    [
        ("administrator", "member", True),
        ("administrator", "administrator", False),
        ("administrator", "owner", False),
        ("administrator", "", False),
        ("owner", "administrator", True),
        ("owner", "", True),
        ("teacher", "member", False),
    ],
)
def test_whose_session_one_may_end(web: WebApp, actor: str, role: str, may: bool) -> None:
    """`role` empty: a tool's."""
    client, _ = web.person(actor)
    account = web.person(role)[1] if role else ""
    id = session_of(web, account, role or "owner")
    answer = end(client, id)
    assert answer.status_code == (303 if may else 403)
    with web.database.reading() as cursor:
        cursor.execute("SELECT ended IS NOT NULL, reason FROM sessions WHERE id = %s", (id,))
        assert cursor.fetchone() == (
            (True, "an administrator ended it: Enough.") if may else (False, None)
        )
    assert [line[1] for line in lines(web)] == (["ended a session of"] if may else [])
    if not may:
        assert f'value="{id}"' not in client.get("/administration/sessions").text


@pytest.mark.parametrize(
    ("session", "reason", "status"),
    [
        (str(uuid.uuid4()), "Enough.", 404),
        ("", "Enough.", 404),
        ("%" * 36, "Enough.", 404),
        (str(uuid.uuid4()), "  ", 400),
        (str(uuid.uuid4()), "x" * 501, 400),
    ],
)
def test_what_can_t_be_ended_is_said(
    web: WebApp, session: str, reason: str, status: int
) -> None:
    client, account = web.person("owner")
    session_of(web, account)
    answer = end(client, session, reason)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert lines(web) == []
