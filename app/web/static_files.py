"""`/static`: the page's own files, for sites without nginx, and whenever nginx is away.

What is asked for by the hash of these very files may be kept for ever; anything else, as
by a page of another release or by its plain name, is asked for anew each time.
"""

from __future__ import annotations

import flask
from werkzeug.security import safe_join

from app import assets

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
            response = flask.send_file(file, mimetype=kind)
        except OSError:
            flask.abort(404)
        ours = first == assets.release()
        response.headers["Cache-Control"] = FOR_EVER if ours else "no-cache"
        return response
