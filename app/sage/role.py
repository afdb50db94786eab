"""What a sage server is made of: the pool, its server, its recorder, bookkeeper and census."""

from __future__ import annotations

import os

import gevent

from app.db import Database
from app.sage import cgroups, protections
from app.sage.bookkeeper import Bookkeeper
from app.sage.census import Census
from app.sage.consumption import Consumption
from app.sage.keeper import Keeper
from app.sage.pool import Pool
from app.sage.recorder import Recorder
from app.sage.server import SageServer
from app.settings import Settings
from app.token import Tokens
from app.wire.tls import Context

DRAIN_LOOK = 0.5  # seconds between looks whether sessions are still used


class SageRole:
    def __init__(
        self, *, settings: Settings, database: Database, tokens: Tokens, context: Context
    ) -> None:
        """`context`: a server's."""
        self._settings = settings
        self.address = f"{settings.sage.host}:{settings.sage.port}"
        consumption = Consumption(slice_seconds=settings.mining.slice_seconds)
        self.pool = Pool(
            settings=settings,
            address=self.address,
            protections=protections.examine(settings),
            cgroups=cgroups.find(
                server=f"salvus-{settings.sage.port}-{os.getpid()}", wanted=settings.sage.cgroup
            ),
            keeper=Keeper(database),
            consumption=consumption,
        )
        self._server = SageServer(
            pool=self.pool, settings=settings, tokens=tokens, context=context
        )
        self._recorder = Recorder(
            pool=self.pool, database=database, interval=settings.database.write_seconds
        )
        self._bookkeeper = Bookkeeper(
            consumption=consumption,
            database=database,
            interval=settings.monitor.interval,
            keep_days=settings.mining.keep_days,
        )
        self._census = Census(pool=self.pool, database=database, address=self.address)

    def start(self) -> None:
        """Start, and return once sessions can be had. Raises PoolError, OSError."""
        self.pool.start()
        self._recorder.start()
        self._bookkeeper.start()
        self._census.start()
        self.pool.wait_ready(self._settings.sage.start_seconds)
        self._server.start()

    def drain(self) -> None:
        """Let no session begin here, and wait until nobody uses those there are."""
        self._server.drain()
        while not self.pool.is_quiet(self._settings.sage.quiet_seconds):
            gevent.sleep(DRAIN_LOOK)

    def stop(self) -> None:
        self._server.stop()
        self._census.stop()
        self.pool.stop()
        self._recorder.stop()
        self._bookkeeper.stop()
