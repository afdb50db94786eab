"""What an app server is made of: pages and sockets, and the ways to sessions and to its like."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Flask

from app import layout, live_sessions, mining, words
from app.balance import Load
from app.browsers import Browsers
from app.cache import Cache
from app.db import Database
from app.delivery import Delivery
from app.directory import Directory
from app.evaluations import Evaluations
from app.live_sessions import LiveSession
from app.losses import Losses
from app.merging import Merger
from app.nodes import Nodes
from app.peers import Peers
from app.placements import Placements
from app.rounds import Rounds
from app.servers import ServersInUse
from app.sessions import Sessions
from app.settings import Settings
from app.token import Tokens
from app.web import create_app
from app.web.condition import Condition, Reports, Watching
from app.web.socket import Sockets
from app.web.standing import Standing
from app.wire.tls import Context


class AppRole:
    def __init__(
        self,
        *,
        settings: Settings,
        version: str,
        database: Database,
        cache: Cache,
        tokens: Tokens,
        context: Context,
        served: Context,
        watching: Watching,
        loads: Callable[[], dict[str, Load]],
        reports: Callable[[], Reports],
        notices: Callable[[], Iterable[str]],
        lag: Callable[[], float],
    ) -> None:
        """`context`: a client's; `served`: a server's; `loads`: of the site's sage servers, may
        raise Unavailable; the rest as for `Condition`."""
        self._database = database
        self._settings = settings
        name = f"{settings.app.host}:{settings.app.port}"
        self._nodes = Nodes(name=name, tokens=tokens, context=context, wire=settings.wire)
        self._servers = ServersInUse(settings=settings, on_change=self._nodes.use)
        self.browsers = Browsers()
        peers = Peers(
            host=settings.app.host,
            ports=layout.node_ports(settings),
            tokens=tokens,
            context=context,
            served=served,
            wire=settings.wire,
        )
        self._delivery = delivery = Delivery(
            browsers=self.browsers,
            nodes=self._nodes,
            peers=peers,
            directory=Directory(
                database=database,
                cache=cache,
                browsers=self.browsers,
                on_others=peers.keep_only,
            ),
        )
        self._placements = Placements(
            database=database,
            cache=cache,
            nodes=self._nodes,
            loads=loads,
            interval=settings.monitor.interval,
        )
        self._losses = Losses(
            database=database, nodes=self._nodes, limit=settings.sage.lost_seconds
        )
        sessions = Sessions(database=database, delivery=delivery, placements=self._placements)
        self._merger = Merger()
        self._sockets = Sockets(
            settings=settings,
            database=database,
            sessions=sessions,
            delivery=delivery,
            merger=self._merger,
        )
        self._standing = Standing(
            database=database,
            browsers=self.browsers,
            interval=settings.sign_in.check_seconds,
        )
        condition = Condition(
            settings=settings,
            version=version,
            browsers=self.browsers,
            nodes=self._nodes,
            servers=self._servers,
            watching=watching,
            sessions=self._live_sessions,
            suspects=self._suspects,
            reports=reports,
            notices=notices,
            lag=lag,
        )
        spoken = words.of_site(settings)
        self._rounds = Rounds(database=database, delivery=delivery, words=spoken)
        self.wsgi: Flask = create_app(
            settings=settings,
            database=database,
            sessions=sessions,
            evaluations=Evaluations(nodes=self._nodes, cache=cache, settings=settings),
            sockets=self._sockets,
            delivery=delivery,
            snapshot=condition.snapshot,
            course=condition.course,
            standing=self._standing,
            tokens=tokens,
            rounds=self._rounds,
            words=spoken,
        )

    def start(self) -> None:
        """Start everything, without waiting for it."""
        self._servers.start()
        self._standing.start()
        self._placements.start()
        self._losses.start()
        self._rounds.start()
        self._delivery.start()

    def leave(self) -> None:
        """Tell the open pages to come back, elsewhere or later."""
        self._sockets.leave()

    def stop(self) -> None:
        self._servers.stop()
        self._standing.stop()
        self._placements.stop()
        self._losses.stop()
        self._rounds.stop()
        self._delivery.stop()
        self._merger.close()
        self._nodes.stop()

    def _live_sessions(self) -> list[LiveSession]:
        """Raises Unavailable."""
        with self._database.reading() as cursor:
            return live_sessions.listed(cursor)

    def _suspects(self) -> list[mining.Suspect]:
        """Who computes without pause. Raises Unavailable."""
        with self._database.reading() as cursor:
            return mining.suspects(cursor, self._settings.mining)
