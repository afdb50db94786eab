"""A host under supervision: what `salvus.py supervise` runs, besides the monitor."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import gevent

from app.listener import Proof
from app.settings import Settings
from app.watched_file import WatchedFile
from app.wire.tls import server_context
from supervisor import catalog, certs, locations
from supervisor.console import Console, ConsoleHandler
from supervisor.control import SUPERVISOR, Control
from supervisor.lock import Lock
from supervisor.logs import Logs
from supervisor.operations import Changes, Operations
from supervisor.process import adopt_orphans
from supervisor.renewal import Renewal
from supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)


class Supervision:
    def __init__(
        self,
        *,
        settings: Settings,
        read: Callable[[], Settings],
        tokens: Proof,
    ) -> None:
        """`read` reads the settings as they are by then, `tokens` knows the site's token.
        Raises CannotStart."""
        self._lock = Lock(settings.data_dir)
        self._settings = settings
        chosen = settings.supervisor
        logs = Logs(size=chosen.log_size, count=chosen.log_files)
        self.console = Console(logs.at(locations.log_file(settings, SUPERVISOR)))
        changes = Changes(self.console.tell)
        self.services = Supervisor(
            services=catalog.whole_host(settings),
            rules=catalog.rules(settings),
            on_change=changes.tell,
            logs=logs,
        )
        self._operations = Operations(
            settings=settings,
            read=read,
            describe=catalog.whole_host,
            host=self.services,
            changes=changes,
            on_settings=lambda fresh: self._renewal.use(fresh),
        )
        self._renewal = Renewal(settings=settings, renewed=self._operations.renewed)
        self._control = Control(
            operations=self._operations,
            settings=settings,
            tokens=tokens,
            context=server_context(certs.identity(settings)),
        )
        self._watch: WatchedFile | None = None
        self._following: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin to bring everything up, and to take orders. Raises CannotStart."""
        adopt_orphans()
        handler = ConsoleHandler(self.console)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.getLogger().handlers[:] = [handler]
        self._control.start()
        self.services.start()
        self._following = gevent.spawn(self._follow)

    def stop(self) -> None:
        """Stop everything, and wait until it is gone."""
        if self._following is not None:
            self._following.kill()
        if self._watch is not None:
            self._watch.stop()
        self._renewal.stop()
        self.services.stop()
        self._control.stop()
        self._lock.release()

    def _follow(self) -> None:
        """Once everything has started, take up what changes."""
        self.services.wait_settled()
        self._operations.begin()
        self._renewal.start()
        file = Path(self._settings.file)
        with contextlib.suppress(OSError):  # it is gone: what it said stays in use
            self._watch = WatchedFile(file.absolute(), lambda: gevent.spawn(self._reload))
            if file.read_bytes() != self._settings.text.encode():
                self._reload()  # it has changed before there was a watch

    def _reload(self) -> None:
        self.console.say(f"{self._settings.file} has changed")
        if failure := self._operations.reload():
            log.error("%s", failure)
