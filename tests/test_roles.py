"""Who may do what: the table, against every route and every message there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from app import roles
from app.browsers import Browser
from app.db import Database
from app.web.origins import SAFE_METHODS
from app.web.socket import TO_SESSION, Conversation
from app.wire.messages_pb2 import Message
from tests.web_app import WebApp

KINDS = (*roles.ROLES, roles.STRANGER, roles.TOOL)
SAMPLES: dict[str, Any] = {"uuid": "00000000-0000-0000-0000-000000000000", "integer": 1}

# What each kind of user may open, said once more: the first of each row is who may do it least.
LEAST = {
    "alive": "all", "static": "all", "service": "all", "sign_in": "all", "join": "all",
    "status": "administrator", "home": "guest", "worksheet": "guest", "socket": "guest",
    "file": "guest", "account": "guest", "sign_out_everywhere": "guest",
    "change_password": "member",
}  # fmt: skip


@pytest.fixture
def web(database: Database, tmp_path: Path) -> WebApp:
    return WebApp(database, tmp_path)


def routes(web: WebApp) -> Iterator[tuple[Rule, str, str]]:
    """Every route with each of its methods, and a path that leads to it."""
    for rule in web.flask.url_map.iter_rules():
        values = {
            name: SAMPLES.get(type(converter).__name__.removesuffix("Converter").lower(), "x")
            for name, converter in rule._converters.items()
        }
        built = rule.build(values)
        assert built
        for method in sorted((rule.methods or {"GET"}) - {"OPTIONS", "HEAD"}):
            yield rule, method, built[1]


def test_every_route_has_a_row(web: WebApp) -> None:
    assert {rule.endpoint for rule in web.flask.url_map.iter_rules()} == set(roles.ROUTES)


def test_every_message_has_a_row() -> None:
    body = Message.DESCRIPTOR.oneofs_by_name["body"]
    assert {field.name for field in body.fields} == set(roles.MESSAGES)


@pytest.mark.parametrize("endpoint", LEAST)
def test_rows_say_what_is_meant(endpoint: str) -> None:
    least = LEAST[endpoint]
    allowed = roles.ROLES[: roles.ROLES.index(least) + 1] if least != "all" else KINDS
    row = roles.ROUTES[endpoint]
    assert {*allowed} == row - ({roles.TOOL} if least != "all" else set())


def test_who_is_mightier_may_open_whatever_the_others_may() -> None:
    for row in (*roles.ROUTES.values(), *roles.MESSAGES.values()):
        allowed = [role in row for role in roles.ROLES]
        assert allowed == sorted(allowed, reverse=True)


def test_each_kind_of_user_gets_what_its_row_says(web: WebApp) -> None:
    """What stands before every page lets pass whom the table names, and nobody else."""
    browsers = {role: web.person(role)[0] for role in roles.ROLES}
    browsers[roles.STRANGER] = web.client()
    browsers[roles.TOOL] = web.client()
    browsers[roles.TOOL].environ_base["HTTP_AUTHORIZATION"] = f"Bearer {web.tokens.current}"
    for rule, method, path in routes(web):
        for kind, browser in browsers.items():
            assert passes(web, browser, rule, method, path) == (
                roles.may_open(kind, rule.endpoint)
                or (kind == roles.TOOL and roles.may_open(roles.STRANGER, rule.endpoint))
            ), f"{kind}: {method} {path} ({rule.endpoint})"


def test_what_has_no_row_is_the_owner_s() -> None:
    assert [kind for kind in KINDS if roles.may_open(kind, "forgotten")] == ["owner"]
    assert [kind for kind in KINDS if roles.may_send(kind, "forgotten")] == ["owner"]


def test_what_changes_something_must_come_from_a_page_of_ours(web: WebApp) -> None:
    owner, _ = web.person("owner")
    for rule, method, path in routes(web):
        if method in SAFE_METHODS or rule.endpoint == "service":
            continue
        if not roles.may_open("owner", rule.endpoint):
            continue  # it is for tools, which have no cookie
        for site in ("cross-site", "same-site", "none"):
            owner.environ_base["HTTP_SEC_FETCH_SITE"] = site
            assert not passes(web, owner, rule, method, path), f"{site}: {method} {path}"
        del owner.environ_base["HTTP_SEC_FETCH_SITE"]
        for origin in ("https://evil.example", "null", ""):
            owner.environ_base["HTTP_ORIGIN"] = origin
            assert not passes(web, owner, rule, method, path), f"{origin}: {method} {path}"
        owner.environ_base["HTTP_ORIGIN"] = "http://localhost"
        assert passes(web, owner, rule, method, path), path
        del owner.environ_base["HTTP_ORIGIN"]


def passes(web: WebApp, browser: FlaskClient, rule: Rule, method: str, path: str) -> bool:
    """Whether the request reaches its page; the page itself is not asked."""
    environ = {**browser.environ_base}
    cookie = browser.get_cookie(f"salvus-{web.settings.site.name}")
    if cookie:
        environ["HTTP_COOKIE"] = f"{cookie.key}={cookie.value}"
    with web.flask.test_request_context(path, method=method, environ_overrides=environ) as context:
        if rule.websocket:  # no test client asks for one: the map is asked as if it had
            context.request.url_rule, context.request.view_args = rule, {}
            context.request.routing_exception = None
        assert context.request.endpoint == rule.endpoint, path
        try:
            return web.flask.preprocess_request() is None
        except HTTPException:
            return False


@pytest.mark.parametrize("kind", [*roles.ROLES, roles.STRANGER])
@pytest.mark.parametrize("message", sorted(roles.MESSAGES))
def test_a_page_may_send_what_its_row_says(kind: str, message: str) -> None:
    browser = Browser(account="", kind=kind, worksheet="", outbox=1 << 20)
    watch = Asked()
    conversation = Conversation(
        browser=browser, watch=watch, database=watch, delivery=watch, merger=watch,  # type: ignore[arg-type]
    )  # fmt: skip
    asked = Message()
    getattr(asked, message).SetInParent()
    try:
        conversation.take(asked.SerializeToString())
    except Reached:
        pass
    refusals = [
        Message.FromString(payload).refused.reason for payload in browser.take(0)
    ]
    refused = f"a page must not send {message}" in refusals
    assert refused != roles.may_send(kind, message)
    assert watch.sent == (message in TO_SESSION and not refused)


class Reached(Exception):
    """The message got as far as the database."""


class Asked:
    """Stands where messages go that were let through."""

    def __init__(self) -> None:
        self.sent = False

    def send(self, message: Message, about: str) -> None:
        self.sent = True

    def attach(self, session: str, after: int) -> bool:
        return True

    def transaction(self) -> None:
        raise Reached


@pytest.mark.parametrize(
    ("actor", "subject", "may"),
    [
        ("owner", "administrator", True),
        ("owner", "guest", True),
        ("owner", "owner", False),
        ("administrator", "owner", False),
        ("administrator", "administrator", False),
        ("administrator", "teacher", True),
        ("teacher", "member", False),
        ("member", "guest", False),
        ("administrator", "cook", False),
    ],
)
def test_who_may_govern_whom(actor: str, subject: str, may: bool) -> None:
    assert roles.may_govern(actor, subject) == may
