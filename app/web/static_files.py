"""`/static`: the page's own files, for sites without nginx, and whenever nginx is away.

What is asked for by the hash of these very files may be kept for ever; anything else, as
by a page of another release or by its plain name, is asked for anew each time.
"""

from __future__ import annotations

import functools
import gzip
import os
from pathlib import Path

import flask
from werkzeug.security import safe_join

from app import assets

SERVICE_WORKER = assets.FOLDER / "js" / "service_worker.js"
FOR_EVER = "public, max-age=31536000, immutable"


def register(app: flask.Flask) -> None:
    """Add the static files to `app`, and `asset(path)`, their address, to its templates."""
    app.jinja_env.globals["asset"] = assets.address

    @app.get("/static/<path:path>", endpoint="static")
    def static(path: str) -> flask.Response:
        first, _, rest = path.partition("/")
        name = rest if assets.HASH.fullmatch(first) else path
        kind = assets.TYPES.get(name[name.rfind(".") :])
        file = safe_join(str(assets.FOLDER), name)
        if kind is None or file is None:
            flask.abort(404)
        try:
            response = _sent(file, kind)
        except OSError:
            flask.abort(404)
        ours = first == assets.release()
        response.headers["Cache-Control"] = FOR_EVER if ours else "no-cache"
        response.headers["Content-Security-Policy"] = "default-src 'none'"  # it is no page
        return response

    @app.get("/service-worker.js")
    def service_worker() -> flask.Response:
        """The page's service worker, from where it may see all pages."""
        response = flask.send_file(SERVICE_WORKER, mimetype="text/javascript")
        response.headers["Cache-Control"] = "no-cache"
        return response


def _sent(file: str, kind: str) -> flask.Response:
    """A file, compressed where that helps and the browser takes it. Raises OSError."""
    compressed = file.endswith(assets.COMPRESSED)
    if not compressed or not flask.request.accept_encodings.best_match(("gzip",)):
        response = flask.send_file(file, mimetype=kind)
    else:
        response = flask.Response(_gzipped(file, os.stat(file).st_mtime_ns), mimetype=kind)
        response.headers["Content-Encoding"] = "gzip"
    if compressed:
        response.vary.add("Accept-Encoding")
    return response


@functools.cache
def _gzipped(file: str, changed: int) -> bytes:
    """The file as of the time that it was `changed`."""
    return gzip.compress(Path(file).read_bytes(), 9, mtime=0)
