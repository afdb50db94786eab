"""Sign-in with accounts elsewhere, against a real OpenID provider in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import gevent
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import accounts, identities, settings
from app.db import Database
from app.identities import Flow, Identity
from app.settings import SettingsError
from app.web import providers
from app.web.providers import KNOWN, Known, NoIdentity
from tests.host import free_port
from tests.web_app import WebApp

PATIENCE = 30.0
AWAY = re.compile(r'content="0;url=([^"]+)"')


class Elsewhere:
    """An OpenID provider."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"

    def knows(self, subject: str, **claims: str) -> None:
        """Whom it has an account of, and what it says of them from now on."""
        requests.put(
            f"{self.issuer}/users/{subject}", json=claims, timeout=PATIENCE
        ).raise_for_status()

    def consent(self, away: str, subject: str) -> str:
        """The person signs in there and agrees; where their browser is sent."""
        return self._answer(away, {"sub": subject})

    def deny(self, away: str) -> str:
        return self._answer(away, {"action": "deny"})

    def _answer(self, away: str, form: dict[str, str]) -> str:
        answer = requests.post(away, data=form, timeout=PATIENCE, allow_redirects=False)
        assert answer.status_code in (302, 303), answer.text
        return answer.headers["Location"]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port),
               "--require-nonce", "true"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            provider = Elsewhere(port)
            with gevent.Timeout(PATIENCE):
                while not _answers(provider.issuer):
                    assert server.poll() is None
                    gevent.sleep(0.05)
            yield provider
        finally:
            server.terminate()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def app_with(database: Database, folder: Path, elsewhere: Elsewhere, **keys: str) -> WebApp:
    """A site that trusts `elsewhere` under two names, and everybody there."""
    (folder / "salvus.toml").write_text(
        f"""
        [providers.school]
        id = "salvus"
        secret = "geheim"
        issuer = "{elsewhere.issuer}"
        title = "the school"
        [providers.club]
        id = "salvus"
        secret = "geheim"
        issuer = "{elsewhere.issuer}"
        """
    )
    return WebApp(database, folder, **keys)


@pytest.fixture
def web(database: Database, tmp_path: Path, elsewhere: Elsewhere) -> WebApp:
    return app_with(database, tmp_path, elsewhere, sign_in_open="true")


@pytest.fixture
def closed(database: Database, tmp_path: Path, elsewhere: Elsewhere) -> WebApp:
    return app_with(database, tmp_path, elsewhere)


def leave(browser: FlaskClient, path: str = "/sign-in/with/school", **form: str) -> str:
    """Where the browser is led, to sign in elsewhere."""
    answer = browser.post(path, data=form)
    assert answer.status_code == 200, answer.text
    found = AWAY.search(answer.text)
    assert found
    return html.unescape(found[1])


def back(browser: FlaskClient, address: str) -> TestResponse:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}")


def come_in(
    web: WebApp, elsewhere: Elsewhere, subject: str, browser: FlaskClient | None = None,
    path: str = "/sign-in/with/school", **form: str,
) -> tuple[TestResponse, FlaskClient]:  # fmt: skip
    """The whole way: there, consent, and back."""
    browser = browser or web.client()
    return back(browser, elsewhere.consent(leave(browser, path, **form), subject)), browser


def accounts_of(web: WebApp) -> list[str]:
    with web.database.reading() as cursor:
        cursor.execute("SELECT name FROM accounts ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


def subject() -> str:
    return secrets.token_hex(4)


# --- Coming in ----------------------------------------------------------------------


def test_a_person_comes_in_and_again(web: WebApp, elsewhere: Elsewhere) -> None:
    emmy = subject()
    elsewhere.knows(emmy, name="Emmy Noether", email="emmy@example.org")
    answer, browser = come_in(web, elsewhere, emmy, next="/worksheets")
    assert (answer.status_code, answer.location) == (303, "/worksheets")
    page = browser.get("/account").text
    assert "Emmy Noether" in page
    assert "emmy@example.org" in page
    assert come_in(web, elsewhere, emmy)[0].status_code == 303
    assert accounts_of(web) == ["Emmy Noether"]


def test_state_nonce_and_pkce_are_asked_for(web: WebApp, elsewhere: Elsewhere) -> None:
    away = urlsplit(leave(web.client()))
    asked = {name: values[0] for name, values in parse_qs(away.query).items()}
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://localhost/sign-in/with/school/back"
    assert asked["code_challenge_method"] == "S256"
    with web.database.reading() as cursor:
        cursor.execute("SELECT data FROM flows")
        (data,) = cursor.fetchone() or ({},)
    digest = hashlib.sha256(data["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert asked["nonce"] == data["nonce"]
    assert len(asked["state"]) >= 20


def test_another_e_mail_is_the_same_person(web: WebApp, elsewhere: Elsewhere) -> None:
    ada = subject()
    elsewhere.knows(ada, name="Ada", email="ada@example.org")
    come_in(web, elsewhere, ada)
    elsewhere.knows(ada, name="Ada Lovelace", email="countess@example.org")
    _, browser = come_in(web, elsewhere, ada)
    assert "countess@example.org" in browser.get("/account").text
    assert accounts_of(web) == ["Ada"]


def test_the_same_e_mail_is_not_the_same_person(web: WebApp, elsewhere: Elsewhere) -> None:
    one, other = subject(), subject()
    for each in (one, other):
        elsewhere.knows(each, name=each, email="shared@example.org")
        come_in(web, elsewhere, each)
    assert accounts_of(web) == sorted([one, other])


def test_where_not_everybody_may_come_strangers_stay_out(
    closed: WebApp, elsewhere: Elsewhere
) -> None:
    answer, browser = come_in(closed, elsewhere, subject())
    assert answer.status_code == 403
    assert "Nobody here has that account." in answer.text
    assert browser.get("/account").status_code == 403
    assert accounts_of(closed) == []


def test_an_invitation_lets_somebody_in(closed: WebApp, elsewhere: Elsewhere) -> None:
    with closed.database.transaction() as cursor:
        token = accounts.invite(cursor, None, 1, purpose="join", role="teacher")
    browser = closed.client()
    assert "Join with the school" in browser.get(f"/join/{token}").text
    answer, _ = come_in(closed, elsewhere, subject(), browser, invitation=token)
    assert answer.status_code == 303
    assert "teacher" in browser.get("/account").text
    again, _ = come_in(closed, elsewhere, subject(), invitation=token)
    assert again.status_code == 403


def test_who_is_disabled_stays_out(web: WebApp, elsewhere: Elsewhere) -> None:
    mallory = subject()
    come_in(web, elsewhere, mallory)
    with web.database.transaction() as cursor:
        cursor.execute("UPDATE accounts SET disabled = now(), disabled_because = 'No.'")
    answer, _ = come_in(web, elsewhere, mallory)
    assert (answer.status_code, "This account is disabled. No." in answer.text) == (403, True)


# --- What goes wrong on the way ---------------------------------------------------------


def test_who_does_not_consent_is_told_that_nothing_was_done(
    web: WebApp, elsewhere: Elsewhere
) -> None:
    browser = web.client()
    denied = elsewhere.deny(leave(browser))
    state = parse_qs(urlsplit(leave(browser)).query)["state"][0]
    answer = back(browser, f"{denied}&state={state}")
    assert answer.status_code == 403
    assert "You did not allow it at the school" in answer.text
    assert accounts_of(web) == []


def test_a_code_is_good_once(web: WebApp, elsewhere: Elsewhere) -> None:
    """Also one that has expired: to the provider both are no code of its any more."""
    browser = web.client()
    used = elsewhere.consent(leave(browser), subject())
    assert back(browser, used).status_code == 303
    late = web.client()
    asked = parse_qs(urlsplit(leave(late)).query)["state"][0]
    code = parse_qs(urlsplit(used).query)["code"][0]
    answer = late.get(f"/sign-in/with/school/back?code={code}&state={asked}")
    assert answer.status_code == 400
    assert "the school did not confirm it. Begin again." in answer.text
    assert late.get("/account").status_code == 403


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=guessed", "?state=x&error=other"])
def test_who_was_not_sent_does_not_come_back(web: WebApp, query: str) -> None:
    answer = web.client().get(f"/sign-in/with/school/back{query}")
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers or "flow" in answer.headers["Set-Cookie"]


def test_a_return_is_of_the_browser_that_left_and_once(
    web: WebApp, elsewhere: Elsewhere
) -> None:
    one, other = web.client(), web.client()
    address = elsewhere.consent(leave(one), subject())
    leave(other)
    assert back(other, address).status_code == 400
    assert other.get("/account").status_code == 403
    # Whoever has the address has used nothing up by it
    assert back(one, address).status_code == 303
    assert back(one, address).status_code == 400


def test_a_return_is_of_its_provider(web: WebApp, elsewhere: Elsewhere) -> None:
    browser = web.client()
    address = elsewhere.consent(leave(browser), subject())
    assert back(browser, address.replace("/school/", "/club/")).status_code == 400
    assert back(browser, address.replace("/school/", "/unknown/")).status_code == 404


def test_who_takes_too_long_begins_again(web: WebApp, elsewhere: Elsewhere) -> None:
    browser = web.client()
    address = elsewhere.consent(leave(browser), subject())
    with web.database.transaction() as cursor:
        cursor.execute("UPDATE flows SET expires = now()")
    answer = back(browser, address)
    assert (answer.status_code, "too long ago" in answer.text) == (400, True)


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_led_elsewhere(web: WebApp, elsewhere: Elsewhere, next: str) -> None:
    answer, _ = come_in(web, elsewhere, subject(), next=next)
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_provider_that_does_not_answer(database: Database, tmp_path: Path) -> None:
    web = app_with(database, tmp_path, Elsewhere(free_port()))
    answer = web.client().post("/sign-in/with/school")
    assert (answer.status_code, "does not answer now" in answer.text) == (502, True)
    assert web.client().post("/sign-in/with/unknown").status_code == 404


def test_a_statement_that_was_made_for_another_sign_in(
    web: WebApp, elsewhere: Elsewhere
) -> None:
    browser = web.client()
    address = elsewhere.consent(leave(browser), subject())
    with web.database.transaction() as cursor:
        cursor.execute("""UPDATE flows SET data = data || '{"nonce": "another"}'""")
    answer = back(browser, address)
    assert answer.status_code == 502
    assert "What the school said could not be verified." in answer.text
    assert accounts_of(web) == []


def test_a_provider_with_a_page_that_says_who_one_is(
    database: Database, tmp_path: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As GitHub's, with the addresses of the one that is here."""
    here = replace(
        KNOWN["github"],
        authorize=f"{elsewhere.issuer}/oauth2/authorize",
        token=f"{elsewhere.issuer}/oauth2/token",
        profile=f"{elsewhere.issuer}/userinfo",
        scope="profile",
        read=lambda said: (said["sub"], said["name"], None),
    )
    monkeypatch.setitem(KNOWN, "github", here)
    keys = {"providers_github_id": "x", "providers_github_secret": "y", "sign_in_open": "1"}
    web = WebApp(database, tmp_path, **keys)
    octocat = subject()
    elsewhere.knows(octocat, name="The Octocat")
    answer, _ = come_in(web, elsewhere, octocat, None, "/sign-in/with/github")
    assert answer.status_code == 303
    assert accounts_of(web) == ["The Octocat"]


# --- Several accounts elsewhere ---------------------------------------------------------


def test_two_providers_for_one_person(web: WebApp, elsewhere: Elsewhere) -> None:
    at_school, at_club = subject(), subject()
    elsewhere.knows(at_school, name="Sophie")
    _, browser = come_in(web, elsewhere, at_school)
    answer, _ = come_in(web, elsewhere, at_club, browser, "/account/link/club")
    assert answer.location == "/account"
    _, by_club = come_in(web, elsewhere, at_club, None, "/sign-in/with/club")
    assert "Sophie" in by_club.get("/account").text
    assert accounts_of(web) == ["Sophie"]
    # One of two may go, the last one only when there is a password
    assert browser.post("/account/unlink/school").status_code == 303
    assert browser.post("/account/unlink/club").status_code == 409
    form = {"login": "sophie", "password": "a long password"}
    assert browser.post("/account/password", data=form).status_code == 303
    assert browser.post("/account/unlink/club").status_code == 303


def test_of_two_ways_in_that_go_at_a_time_one_stays(database: Database) -> None:
    with database.transaction() as cursor:
        account = accounts.create(cursor, name="Sophie", role="member")
        for provider in ("school", "club"):
            identities.link(cursor, account, identities.Identity(provider, subject()))

    def unlink_club() -> bool:
        with database.transaction() as cursor:
            return identities.unlink(cursor, account, "club")

    with database.transaction() as cursor:
        assert identities.unlink(cursor, account, "school")
        other = gevent.spawn(unlink_club)
        gevent.sleep(0.3)  # it has asked by now
    assert other.get() is False


def test_an_account_elsewhere_is_one_person_s(web: WebApp, elsewhere: Elsewhere) -> None:
    taken = subject()
    come_in(web, elsewhere, taken)
    browser, _ = web.person("member")
    answer, _ = come_in(web, elsewhere, taken, browser, "/account/link/school")
    assert (answer.status_code, "linked with somebody here already" in answer.text) == (409, True)
    assert come_in(web, elsewhere, subject(), browser, "/account/link/school")[0].location
    second, _ = come_in(web, elsewhere, subject(), browser, "/account/link/school")
    assert second.status_code == 409


def test_only_who_is_still_signed_in_is_linked(web: WebApp, elsewhere: Elsewhere) -> None:
    browser, account = web.person("member")
    address = elsewhere.consent(leave(browser, "/account/link/school"), subject())
    browser.post("/sign-out")
    assert back(browser, address).status_code == 403
    with web.database.reading() as cursor:
        assert identities.of(cursor, account) == []


def test_strangers_and_guests_link_nothing(web: WebApp) -> None:
    guest, _ = web.person("guest")
    assert guest.post("/account/link/school").status_code == 403
    assert web.client().post("/account/link/school").status_code == 403


def test_flows_are_forgotten_with_time(database: Database) -> None:
    with database.transaction() as cursor:
        for number in range(2):
            identities.begin(cursor, state=f"s{number}", browser="b", provider="p",
                             data={}, flow=Flow())  # fmt: skip
            cursor.execute("UPDATE flows SET expires = now() - interval '1 s'")
        cursor.execute("SELECT count(*) FROM flows")
        assert cursor.fetchone() == (1,)


# --- Tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("google", {"sub": "107", "name": "Ada", "email": "a@example.org"},
         Identity("google", "107", "Ada", "a@example.org")),
        ("github", {"id": 583231, "login": "octocat", "name": None, "email": None},
         Identity("github", "583231", "octocat", "")),
        ("facebook", {"id": "10", "name": "Ada"}, Identity("facebook", "10", "Ada", "")),
        ("google", {"sub": "107", "name": "A\0da"}, Identity("google", "107", "Ada", "")),
        ("dropbox", {"account_id": "dbid:AA", "name": {"display_name": "Ada"}, "email": "a@b.c"},
         Identity("dropbox", "dbid:AA", "Ada", "a@b.c")),
    ],
)  # fmt: skip
def test_who_each_provider_says_somebody_is(
    name: str, said: dict[str, object], expected: Identity
) -> None:
    assert providers.identity(name, KNOWN[name], said) == expected


@pytest.mark.parametrize(
    "said", [{}, {"sub": ""}, {"sub": None}, {"sub": True}, {"sub": ["x"]}, {"sub": "a\0"}]
)
def test_who_says_nothing_is_nobody(said: dict[str, object]) -> None:
    with pytest.raises(NoIdentity):
        providers.identity("school", Known("School", issuer="https://x"), said)


@pytest.mark.parametrize(
    ("calls_itself", "good"),
    [
        ("https://login.example.org", True),
        ("https://login.example.org/", True),
        ("https://login.example.org.evil.example", False),
        (None, False),
    ],
)
def test_another_one_s_configuration_is_not_believed(
    calls_itself: str | None, good: bool
) -> None:
    spoken = Known("School", issuer="https://login.example.org")
    expected = contextlib.nullcontext() if good else pytest.raises(NoIdentity)
    with expected:
        providers.check_issuer(spoken, {"issuer": calls_itself})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[providers.google]\nid = 'x'", "has an id and needs its secret"),
        ("[providers.school]\nid = 'x'\nsecret = 'y'", "needs an issuer; without one only google"),
        ("[providers.school]\nissuer = 'http://login.example.org'", "expected an address as"),
        ("[providers.'../x']\nid = 'x'", "expected a name of small letters"),
        ("[providers.google]\nkey = 'x'", r"unknown key providers\.google\.key"),
        ("providers = 1", r"expected \[providers\.NAME\]"),
    ],
)
def test_mistakes_in_the_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "salvus.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        settings.read(file, {})


def test_id_and_secret_may_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "salvus.toml"
    file.touch()
    assert settings.read(file, {}).providers == {}
    variables = {"SALVUS_PROVIDERS_GITHUB_ID": "x", "SALVUS_PROVIDERS_GITHUB_SECRET": "y"}
    assert settings.read(file, variables).providers["github"].secret == "y"
