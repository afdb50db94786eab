"""The web side without its servers: asked in this process, with a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
from flask.testing import FlaskClient

from app import accounts, words
from app.accounts import Origin
from app.browsers import Browsers
from app.cache import Cache
from app.db import Database
from app.delivery import Delivery
from app.directory import Directory
from app.evaluations import Evaluations
from app.merging import Merger
from app.nodes import Nodes
from app.peers import Peers
from app.placements import Placements
from app.rounds import Rounds
from app.sessions import Sessions
from app.settings import Settings
from app.token import Tokens
from app.web import create_app
from app.web.socket import Sockets
from app.web.standing import Standing
from app.web.status import Snapshot
from tests.host import settings_in

NO_STREAMS: Any = None  # no server is asked


class WebApp:
    def __init__(self, database: Database, folder: Path, **keys: str) -> None:
        """`folder`: what is the data directory; `keys`: settings as in the environment."""
        self.database = database
        self.settings: Settings = settings_in(folder, **keys)
        self.tokens = Tokens(data_dir=folder, database=database)
        self.browsers = Browsers()
        nodes = Nodes(
            name="test", tokens=self.tokens, context=NO_STREAMS, wire=self.settings.wire,
        )  # fmt: skip
        cache = Cache(servers=[], timeout=1.0)
        peers = Peers(
            host="127.0.0.1", ports=(0,), tokens=self.tokens, context=NO_STREAMS,
            served=NO_STREAMS, wire=self.settings.wire,
        )  # fmt: skip
        directory = Directory(
            database=database, cache=cache, browsers=self.browsers, on_others=peers.keep_only
        )
        delivery = Delivery(
            browsers=self.browsers, nodes=nodes, peers=peers, directory=directory
        )
        placements = Placements(
            database=database, cache=cache, nodes=nodes, loads=dict, interval=3600
        )
        sessions = Sessions(database=database, delivery=delivery, placements=placements)
        self.standing = Standing(database=database, browsers=self.browsers, interval=3600)
        spoken = words.of_site(self.settings)
        self.rounds = Rounds(database=database, delivery=delivery, words=spoken)
        self.flask: flask.Flask = create_app(
            settings=self.settings,
            database=database,
            sessions=sessions,
            evaluations=Evaluations(nodes=nodes, cache=cache, settings=self.settings),
            sockets=Sockets(
                merger=Merger(),
                settings=self.settings, database=database, sessions=sessions, delivery=delivery
            ),
            delivery=delivery,
            snapshot=lambda: Snapshot(notices=[]),
            course=lambda hours: {},
            standing=self.standing,
            rounds=self.rounds,
            tokens=self.tokens,
            words=spoken,
        )

    def client(self) -> FlaskClient:
        """A browser that has opened a page of the site."""
        made = self.flask.test_client()
        made.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        made.environ_base["HTTP_ACCEPT"] = "text/html"
        return made

    def person(self, role: str, name: str = "") -> tuple[FlaskClient, str]:
        """A signed-in browser, and its account."""
        with self.database.transaction() as cursor:
            if role == "owner":
                account = accounts.owner(cursor)
            else:
                account = accounts.create(cursor, name=name or f"a {role}", role=role)
        return self.browser_of(account), account

    def browser_of(self, account: str) -> FlaskClient:
        with self.database.transaction() as cursor:
            secret = accounts.admit(cursor, account, 1, Origin("address"))
        client = self.client()
        client.set_cookie(f"salvus-{self.settings.site.name}", secret)
        return client
