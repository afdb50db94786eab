"""gunicorn's settings for `gunicorn salvus:app`: one gevent worker, and its beginning and end."""

from app import green  # noqa: F401, I001  (patches; must stay the first import)

import logging
import socket
import sys
from pathlib import Path
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from app import settings as settings_file

try:
    settings = settings_file.read()
except settings_file.SettingsError as error:
    print(f"salvus: {error}", file=sys.stderr)
    sys.exit(settings_file.MISCONFIGURED)

bind = f"{settings.app.host}:{settings.app.port}"
reuse_port = bool(settings.app.socket)  # whoever replaces this one is up before this one leaves
worker_class = "gevent"
workers = 1
worker_connections = 20_000  # WebSockets count too
keepalive = 2  # idle connections would hold up a stop
timeout = 60
graceful_timeout = 5
control_socket_disable = True
forwarded_allow_ips = ""  # whom to believe is for app/web/forwarded.py to say
proc_name = "salvus-app"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
}


def post_worker_init(worker: Any) -> None:
    """Start the roles of this process, and see to it that pages hear of its end."""
    import salvus

    salvus.site.start()
    if settings.app.socket:
        _listen_at(settings.app.socket, salvus.app)
    gevent.spawn(_watch, worker, salvus.site)


def worker_exit(server: Any, worker: Any) -> None:
    """Stop the roles of this process, once nobody is connected any more."""
    import salvus

    salvus.site.stop()


def _listen_at(path: str, application: Any) -> None:
    """Answer at a unix socket of this process alone, too; gunicorn can't share a port and
    have one of these."""
    listener = socket.socket(socket.AF_UNIX)
    Path(path).unlink(missing_ok=True)  # of a worker before
    listener.bind(path)
    listener.listen()
    listener.setblocking(False)
    WSGIServer(listener, application, log=None).start()


def _watch(worker: Any, site: Any) -> None:
    """gunicorn waits for WebSockets to end by themselves; they don't, so tell them to."""
    while worker.alive:
        gevent.sleep(0.05)
    logging.getLogger("salvus").info("stopping")
    while True:  # gunicorn lets pages in for up to a second more
        site.leave()
        gevent.sleep(0.05)
