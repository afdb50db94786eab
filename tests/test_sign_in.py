"""Coming in and going out, as a browser meets it; the database is real."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from werkzeug.test import TestResponse

from app import accounts, attempts, audit, join_codes, passwords
from app.browsers import Browser
from app.db import Database
from app.join_codes import JoinCode
from app.passwords import BadChoice, Passwords
from app.web.agents import browser_name
from app.web.origins import is_own_path
from tests.web_app import WebApp

PASSWORD = "correct horse battery"


@pytest.fixture
def web(database: Database, tmp_path: Path) -> WebApp:
    keys = {"sign_in_attempts_per_account": "3", "sign_in_attempts_per_address": "8"}
    return WebApp(database, tmp_path, **keys)


def member(web: WebApp, login: str = "ada") -> str:
    """An account with PASSWORD."""
    with web.database.transaction() as cursor:
        hash = Passwords().hash(PASSWORD)
        return accounts.create(cursor, name="Ada", role="member", login=login, password=hash)


def sign_in(web: WebApp, login: str, password: str, **form: str) -> TestResponse:
    return web.client().post("/sign-in", data={"login": login, "password": password, **form})


def invitation(web: WebApp, role: str = "member") -> str:
    with web.database.transaction() as cursor:
        return accounts.invite(cursor, None, 1, purpose="join", role=role)


def actions(web: WebApp) -> list[str]:
    with web.database.reading() as cursor:
        return [entry.action for entry in audit.entries(cursor)]


# --- Passwords --------------------------------------------------------------------


def test_a_password_signs_in_whatever_the_case_of_the_name(web: WebApp) -> None:
    member(web)
    answer = sign_in(web, "ADA", PASSWORD, next="/account")
    assert (answer.status_code, answer.location) == (303, "/account")
    assert re.search(r"HttpOnly.*SameSite=Lax", answer.headers["Set-Cookie"])
    assert "Secure" not in answer.headers["Set-Cookie"]
    assert actions(web) == ["signed in"]


def test_over_tls_the_cookie_is_for_tls_alone(web: WebApp) -> None:
    member(web)
    answer = web.client().post(
        "/sign-in",
        data={"login": "ada", "password": PASSWORD},
        base_url="https://sage.example.org",
    )
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("no\0body", PASSWORD)],
)
def test_what_is_wrong_is_not_told_apart(web: WebApp, login: str, password: str) -> None:
    member(web)
    answer = sign_in(web, login, password)
    assert answer.status_code == 403
    assert "No account has this name and this password." in answer.text
    assert "Set-Cookie" not in answer.headers


def test_an_account_s_password_is_not_guessed_for_ever(web: WebApp) -> None:
    member(web)
    for _ in range(3):
        assert sign_in(web, "ada", "wrong").status_code == 403
    answer = sign_in(web, "Ada", PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert "Wait 15 min" in answer.text


def test_a_right_password_clears_the_account_s_count(web: WebApp) -> None:
    member(web)
    for _ in range(2):
        sign_in(web, "ada", "wrong")
        sign_in(web, "ada", "wrong")
        assert sign_in(web, "ada", PASSWORD).status_code == 303


def test_one_address_does_not_try_every_account(web: WebApp) -> None:
    for number in range(8):
        assert sign_in(web, f"person{number}", "guess").status_code == 403
    assert sign_in(web, "another", "guess").status_code == 429


def test_tries_are_forgotten_after_a_while(database: Database) -> None:
    with database.transaction() as cursor:
        assert attempts.wait_seconds(cursor, {"a": 1}) == 0
        assert 0 < attempts.wait_seconds(cursor, {"a": 1, "b": 5}) <= attempts.WINDOW
        cursor.execute("UPDATE attempts SET time = now() - interval '16 minutes'")
        assert attempts.wait_seconds(cursor, {"a": 1}) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert attempts.network(address) == network


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("", PASSWORD),
        ("two words", PASSWORD),
        ("x" * 101, PASSWORD),
        ("ada", "short"),
        ("ada", "x" * 1001),
        ("ada", "aaaaaaaaaaaa"),
        ("ada.lovelace", "Ada.Lovelace"),
    ],
)
def test_choices_that_will_not_do(login: str, password: str) -> None:
    with pytest.raises(BadChoice):
        passwords.check(login, password)


# --- Links ------------------------------------------------------------------------


def test_an_invitation_makes_an_account_once(web: WebApp) -> None:
    token = invitation(web, "teacher")
    form = {"name": "Emmy Noether", "login": "emmy", "password": PASSWORD}
    browser = web.client()
    assert browser.get(f"/join/{token}").status_code == 200
    assert browser.get(f"/join/{token}").status_code == 200  # looking does not use it up
    assert browser.post(f"/join/{token}", data=form).location == "/"
    assert "Emmy Noether" in browser.get("/account").text
    assert web.client().get(f"/join/{token}").status_code == 404
    assert web.client().post(f"/join/{token}", data=form | {"login": "e2"}).status_code == 404
    assert sign_in(web, "emmy", PASSWORD).status_code == 303


def test_nul_characters_are_left_out(web: WebApp) -> None:
    """PostgreSQL's text can't hold them."""
    form = {"name": "A\0da", "login": "a\0da", "password": PASSWORD, "next": "/\0"}
    assert web.client().post(f"/join/{invitation(web)}", data=form).status_code == 303
    assert sign_in(web, "ada", PASSWORD).status_code == 303
    owner, _ = web.person("owner")
    assert owner.get("/administration?words=A%00da").text.count("Ada") > 0


@pytest.mark.parametrize("path", ["/p/a%00b", "/join/a%00b", "/account/unlink/a%00b", "/%00"])
def test_a_path_with_nul_leads_nowhere(web: WebApp, path: str) -> None:
    browser, _ = web.person("member")
    for answer in (browser.get(path), browser.post(path), web.client().get(path)):
        assert answer.status_code in (404, 405)


def test_a_bad_choice_leaves_the_invitation_good(web: WebApp) -> None:
    member(web, "ada")
    token = invitation(web)
    form = {"name": "Ada II", "login": "ADA", "password": PASSWORD}
    taken = web.client().post(f"/join/{token}", data=form)
    assert (taken.status_code, "choose another name" in taken.text) == (400, True)
    short = web.client().post(f"/join/{token}", data=form | {"login": "a2", "password": "x"})
    assert (short.status_code, "10 characters or more" in short.text) == (400, True)
    assert web.client().post(f"/join/{token}", data=form | {"login": "a2"}).status_code == 303


def join_code(web: WebApp, **keys: Any) -> JoinCode:
    with web.database.transaction() as cursor:
        return join_codes.create(cursor, **{"seats": 2, "days": 1.0, "title": "Algebra I", **keys})


def test_a_class_joins_by_its_code_while_there_are_seats(web: WebApp) -> None:
    code = join_code(web)
    browser = web.client()
    led = browser.get(f"/join?code={code.shown.lower()}")
    assert led.location == f"/join/{code.code}"
    assert "You are invited to Algebra I" in browser.get(led.location).text
    for number in range(3):
        form = {"name": "", "login": f"student-{number}", "password": PASSWORD}
        answer = web.client().post(f"/join/{code.shown}", data=form)
        assert answer.status_code == (303 if number < 2 else 404)
    assert "no seat left" in web.client().get(f"/join/{code.code}").text
    with web.database.reading() as cursor:
        assert accounts.credentials(cursor, "student-2") is None
        (kept,) = [one for one in join_codes.listed(cursor) if one.code == code.code]
    assert (kept.used, kept.seats) == (2, 2)
    assert actions(web)[:2] == ["joined", "joined"]


def test_a_taken_name_leaves_the_seat(web: WebApp) -> None:
    member(web, "ada")
    code = join_code(web, seats=1)
    form = {"name": "Ada", "login": "ada", "password": PASSWORD}
    assert web.client().post(f"/join/{code.code}", data=form).status_code == 400
    assert web.client().post(f"/join/{code.code}", data=form | {"login": "a"}).status_code == 303


@pytest.mark.parametrize("how", ["expired", "revoked"])
def test_codes_end(web: WebApp, how: str) -> None:
    code = join_code(web, days=1.0 if how == "revoked" else -1.0)
    if how == "revoked":
        with web.database.transaction() as cursor:
            assert join_codes.revoke(cursor, code.shown)
    assert web.client().get(f"/join/{code.code}").status_code == 404
    form = {"name": "", "login": "late", "password": PASSWORD}
    assert web.client().post(f"/join/{code.code}", data=form).status_code == 404


def test_codes_are_not_guessed_for_ever(web: WebApp) -> None:
    code = join_code(web)
    for _ in range(8):  # as many as this address may
        assert web.client().get("/join/AAAAAAAA").status_code == 404
    assert web.client().get(f"/join/{code.code}").status_code == 429
    form = {"name": "", "login": "guest", "password": PASSWORD}
    assert web.client().post(f"/join/{code.code}", data=form).status_code == 429


def test_a_class_comes_from_one_address(web: WebApp) -> None:
    code = join_code(web, seats=30)
    for number in range(12):
        browser = web.client()
        assert browser.get(f"/join/{code.code}").status_code == 200
        form = {"name": "", "login": f"pupil-{number}", "password": PASSWORD}
        assert browser.post(f"/join/{code.code}", data=form).status_code == 303


def test_a_password_link_sets_it_and_signs_others_out(web: WebApp) -> None:
    account = member(web)
    before = web.browser_of(account)
    with web.database.transaction() as cursor:
        token = accounts.invite(cursor, account, 1, purpose="password")
        other = accounts.invite(cursor, account, 1)
    assert 'value="ada"' in web.client().get(f"/password/{token}").text
    fresh = web.client()
    new = "another long password"
    assert fresh.post(f"/password/{token}", data={"login": "ada", "password": new}).location == "/"
    assert fresh.get("/account").status_code == 200
    assert before.get("/account").status_code == 403
    assert web.client().get(f"/?token={other}").status_code == 403
    assert sign_in(web, "ada", PASSWORD).status_code == 403
    assert sign_in(web, "ada", new).status_code == 303


@pytest.mark.parametrize("path", ["/join/{}", "/password/{}", "/?token={}"])
def test_a_link_is_good_for_its_purpose_alone(web: WebApp, path: str) -> None:
    account = member(web)
    for purpose in ("sign-in", "password", "join"):
        with web.database.transaction() as cursor:
            token = accounts.invite(
                cursor, None if purpose == "join" else account, 1, purpose=purpose
            )
        own = {"join": "/join/{}", "password": "/password/{}", "sign-in": "/?token={}"}[purpose]
        answer = web.client().get(path.format(token))
        assert (answer.status_code < 400) == (path == own)


# --- Guests -----------------------------------------------------------------------


def test_there_are_no_guests_unless_the_operator_says_so(web: WebApp) -> None:
    assert "guest" not in web.client().get("/sign-in").text
    assert web.client().post("/sign-in/guest").status_code == 403


def test_guests_come_in_so_many_at_a_time_and_are_forgotten(
    database: Database, tmp_path: Path
) -> None:
    web = WebApp(database, tmp_path, sign_in_guests="true", sign_in_guests_per_address="2")
    guest = web.client()
    assert guest.post("/sign-in/guest", data={"next": "/worksheets"}).location == "/worksheets"
    page = guest.get("/account").text
    assert "1.1 GB" in page
    assert "/account/password" not in page
    guest.post("/worksheets")
    guest.post("/sign-out")
    assert web.client().post("/sign-in/guest").status_code == 303
    assert web.client().post("/sign-in/guest").status_code == 429
    web.rounds.forget_guests()
    with database.reading() as cursor:
        cursor.execute("SELECT count(*) FROM accounts WHERE role = 'guest'")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT count(*) FROM worksheets")
        assert cursor.fetchone() == (0,)


def test_what_guests_wrote_goes_when_they_have_left(database: Database, tmp_path: Path) -> None:
    """Also if no other guest comes; those who are there stay."""
    web = WebApp(database, tmp_path, sign_in_guests="true")
    gone, over, here = browsers = [web.client() for _ in range(3)]
    for guest in browsers:
        guest.post("/sign-in/guest")
        guest.post("/worksheets")
    gone.post("/sign-out")
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE sign_ins SET expires = now() WHERE account ="
            " (SELECT id FROM accounts WHERE role = 'guest' ORDER BY created LIMIT 1 OFFSET 1)"
        )
    assert over.get("/worksheets").status_code == 403
    rounds = [gevent.spawn(web.rounds.forget_guests) for _ in range(3)]  # of several app servers
    assert sum(one.get() for one in rounds) == 2
    assert here.get("/worksheets").status_code == 200
    with database.reading() as cursor:
        for table in ("accounts", "worksheets"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (1,), table


# --- Signed-in browsers -----------------------------------------------------------


def test_strangers_are_asked_in_and_led_on(web: WebApp) -> None:
    member(web)
    asked = web.client().get("/worksheets?x=1")
    assert asked.status_code == 403
    assert 'name="next" value="/worksheets?x=1"' in asked.text
    assert web.client().get("/worksheets", headers={"Accept": "application/json"}).text.startswith(
        "This browser is not signed in"
    )


def test_who_is_signed_in_is_told_what_is_not_allowed(web: WebApp) -> None:
    browser, _ = web.person("member")
    refused = browser.get("/administration")
    assert refused.status_code == 403
    assert "<h1>That is not allowed</h1>" in refused.text
    assert 'href="/worksheets"' in refused.text  # the ways on are there
    assert "not signed in" not in refused.text


def test_signing_out_is_of_this_browser(web: WebApp) -> None:
    one, account = web.person("member")
    other = web.browser_of(account)
    assert one.post("/sign-out").location == "/sign-in"
    assert one.get("/account").status_code == 403
    assert other.get("/account").status_code == 200


def test_signing_another_browser_out(web: WebApp) -> None:
    one, account = web.person("member")
    other = web.browser_of(account)
    stranger, _ = web.person("member")
    with web.database.reading() as cursor:
        hashes = [each.hash.hex() for each in accounts.sign_ins(cursor, account)]
    assert stranger.post(f"/account/sign-ins/{hashes[0]}").status_code == 404
    assert one.post("/account/sign-ins/nonsense").status_code == 404
    assert one.post(f"/account/sign-ins/{hashes[0]}").status_code == 303  # the latest
    assert other.get("/account").status_code == 403
    assert one.get("/account").status_code == 200


def open_page(web: WebApp, account: str, kind: str = "member") -> Browser:
    """A connected page, by the latest sign-in of `account`."""
    with web.database.reading() as cursor:
        sign_in = accounts.sign_ins(cursor, account)[0]
    browser = Browser(
        account=account, kind=kind, worksheet="w", outbox=1 << 20,
        sign_in=sign_in.hash, expires=sign_in.expires,
    )  # fmt: skip
    web.browsers.add(browser)
    return browser


def test_signing_out_everywhere_cuts_off_open_pages(web: WebApp) -> None:
    one, account = web.person("member")
    here = open_page(web, account)
    other = web.browser_of(account)
    there = open_page(web, account)
    _, stranger = web.person("member")
    not_ours = open_page(web, stranger)
    one.post("/sign-out/everywhere")
    assert (here.dismissed, there.dismissed) == ("signed out", "signed out")
    assert not_ours.dismissed == ""
    assert other.get("/account").status_code == 403


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ("SELECT 1", True),
        ("UPDATE sign_ins SET expires = now()", False),
        ("DELETE FROM sign_ins", False),
        ("UPDATE accounts SET role = 'teacher'", False),
        ("UPDATE accounts SET disabled = now()", False),
        ("DELETE FROM accounts", False),
    ],
)
def test_open_pages_stand_as_their_sign_in_does(web: WebApp, change: str, stays: bool) -> None:
    _, account = web.person("member")
    page = open_page(web, account)
    with web.database.transaction() as cursor:
        cursor.execute(change)
    web.standing.check()
    assert (page.dismissed == "") == stays


def test_without_the_database_pages_stay_until_they_expire(web: WebApp) -> None:
    _, account = web.person("member")
    page = open_page(web, account)
    web.standing._database = Database(
        url="host=/nowhere", connections=1, wait_seconds=1, statement_seconds=1
    )
    web.standing.check()
    assert page.dismissed == ""
    page.expires = datetime.now(UTC) - timedelta(seconds=1)
    web.standing.check()
    assert page.dismissed == "signed out"


def test_a_disabled_account_has_no_way_in(web: WebApp) -> None:
    account = member(web)
    browser = web.browser_of(account)
    with web.database.transaction() as cursor:
        token = accounts.invite(cursor, account, 1)
        cursor.execute(
            "UPDATE accounts SET disabled = now(), disabled_because = 'It was shared.'"
        )
    assert browser.get("/account").status_code == 403
    assert web.client().get(f"/?token={token}").status_code == 403
    answer = sign_in(web, "ada", PASSWORD)
    assert (answer.status_code, "It was shared." in answer.text) == (403, True)
    assert "disabled" not in sign_in(web, "ada", "wrong").text


def test_changing_one_s_password(web: WebApp) -> None:
    account = member(web)
    browser, other = web.browser_of(account), web.browser_of(account)
    form = {"login": "ada", "password": "another long password", "present": "wrong"}
    assert browser.post("/account/password", data=form).status_code == 403
    assert browser.post("/account/password", data=form | {"present": PASSWORD}).status_code == 303
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 403
    assert sign_in(web, "ada", "another long password").status_code == 303


# --- Tables -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("/", True),
        ("/w/123?x=1#y", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("https://evil.example", False),
        ("evil.example", False),
        ("javascript:alert(1)", False),
        ("/\t/evil.example", False),
        ("/\n/evil.example", False),
        (" /x", False),
        ("", False),
    ],
)
def test_where_a_browser_may_be_sent(web: WebApp, address: str, own: bool) -> None:
    assert is_own_path(address) == own
    member(web)
    answer = sign_in(web, "ada", PASSWORD, next=address)
    assert answer.location == (address if own else "/")


@pytest.mark.parametrize("path", ["/%09/evil.example/", "/%0A/evil.example", "/%0D%5Cevil.example"])
def test_an_address_with_a_token_leads_nowhere_else(web: WebApp, path: str) -> None:
    """Neither who comes in by it nor who is in already: browsers drop control characters."""
    owner, account = web.person("owner")
    with web.database.transaction() as cursor:
        token = accounts.invite(cursor, account, 1)
    for browser, said in ((owner, "x"), (web.client(), token)):
        answer = browser.get(f"{path}?token={said}")
        assert (answer.status_code, answer.location) == (303, "/")
    assert owner.get("/account?token=x&a=1").location == "/account?a=1"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
         "Safari on iPhone"),
        ("python-requests/2.34", "python-requests/2.34"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_browsers_by_name(agent: str, name: str) -> None:
    assert browser_name(agent) == name
