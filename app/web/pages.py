"""What all pages have: what they may load, how errors look, and the frames of output.

Pages run under a strict Content-Security-Policy: no script but the site's own files, and
the import map by its hash. Output in HTML is hostile: it is shown in an opaque-origin
frame at /output, whose own policy lets its scripts run but reach nothing. Of the site's
files it may use the fonts of formulas, and at /output/scene, where 3D scenes are shown,
three.js.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

import flask
import flask.typing
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from app import assets, attempts, db, roles
from app.settings import Settings
from app.web.languages import _
from app.words import N_

IMPORTS = {
    "codemirror": assets.address("vendor/codemirror.js"),
    "dompurify": assets.address("vendor/dompurify.js"),
    "katex": assets.address("vendor/katex.js"),
    "marked": assets.address("vendor/marked.js"),
    "@bufbuild/protobuf": assets.address("vendor/protobuf.js"),
    "@bufbuild/protobuf/codegenv2": assets.address("vendor/protobuf.js"),
}
IMPORT_MAP = json.dumps({"imports": IMPORTS}, separators=(",", ":"))


def _hash(script: str) -> str:
    """How a policy names an inline script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'self' {_hash(IMPORT_MAP)}",
        "style-src 'self' 'unsafe-inline'",  # CodeMirror and KaTeX set styles
        "font-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
OUTPUT_POLICY = "; ".join(
    (
        "sandbox allow-scripts",
        "default-src 'none'",
        "script-src 'unsafe-inline' 'unsafe-eval' {scripts}",
        "style-src 'unsafe-inline' {styles}",
        "font-src data: {fonts}",
        "img-src blob: data:",
        "media-src blob: data:",
        "frame-ancestors 'self' {embedders}",
    )
)
# What frames without origin may fetch is open to any origin
FOR_FRAMES = re.compile(r"/static/([0-9a-f]{12}/)?vendor/")
HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")

# What an error page says: a heading, and what helps, in HTML.
ERRORS = {
    400: (N_("That can't be done so"), N_("Go back and try again.")),
    403: (
        N_("This browser is not signed in"),
        N_(
            "Open the address that <code>make run</code> printed. Each address signs in one"
            " browser; <code>python salvus.py address</code> prints a new one."
        ),
    ),
    404: (
        N_("There is no such page"),
        N_("It may have been moved, or the address mistyped."),
    ),
    405: (N_("That can't be done here"), N_("Go back and try from the page itself.")),
    409: (N_("That can't be done now"), N_("Go back and try again.")),
    413: (N_("That is too large"), N_("Send it in smaller pieces.")),
    429: (N_("That was too often"), N_("Wait a while, then try again.")),
    500: (
        N_("Something went wrong on our side"),
        N_("It has been logged. Your worksheets are safe; try again in a moment."),
    ),
    502: (N_("Another server does not answer"), N_("Try again in a moment.")),
    503: (
        N_("The database can't be reached"),
        N_("Open worksheets go on running and keep what you type. Try again in a moment."),
    ),
}


def register(app: flask.Flask, *, settings: Settings) -> None:
    """Add the frames of output to `app`, and to all its answers what pages may do."""
    app.jinja_env.globals.update(
        site_title=settings.site.title,
        import_map=Markup(IMPORT_MAP),
        largest_message=settings.app.max_code,
    )
    app.after_request(security_headers)
    app.register_error_handler(HTTPException, error_page)
    app.register_error_handler(db.Unavailable, database_unavailable)
    embedders = " ".join(settings.embed.origins)

    @app.get("/output")
    def output() -> flask.Response:
        """The empty frame that shows HTML output, given to it by the page."""
        return _frame("output.html", embedders, styles="katex.css", fonts="fonts/")

    @app.get("/output/scene")
    def scene() -> flask.Response:
        """The same for a 3D scene, with three.js."""
        return _frame("scene.html", embedders, scripts="three.js")


def _frame(template: str, embedders: str, **allowed: str) -> flask.Response:
    """A page for output; `embedders`: sites whose pages show our cells; `allowed`: what it may
    use of the vendored files, by kind."""
    host = flask.request.host
    # A policy can name a single file of a host, but no host that is an IPv6 address.
    # The page may be of an earlier release than this server; three.js is not, see scene.html.
    asked = flask.request.args.get("release", "")
    release = asked if "scripts" not in allowed and assets.HASH.fullmatch(asked) else ""
    base = f"{host}{assets.address('vendor/', release)}" if HOST.fullmatch(host) else ""
    sources = dict.fromkeys(("scripts", "styles", "fonts"), "")
    sources |= {kind: f"{base}{file}" if base else "'self'" for kind, file in allowed.items()}
    response = flask.make_response(flask.render_template(template))
    response.headers["Content-Security-Policy"] = OUTPUT_POLICY.format(
        **sources, embedders=embedders
    )
    response.headers["X-DNS-Prefetch-Control"] = "off"  # names looked up tell something, too
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def security_headers(response: flask.Response) -> flask.Response:
    """What every answer tells the browser to forbid."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if flask.request.endpoint != "static":  # there are dozens of them, which are no pages
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if FOR_FRAMES.match(flask.request.path):
        headers.setdefault("Access-Control-Allow-Origin", "*")
    if response.mimetype == "text/html":
        headers.setdefault("Cache-Control", "no-cache, private")
    if response.status_code == 429:  # at the latest then; what knows better has said so
        headers.setdefault("Retry-After", str(attempts.WINDOW))
    return response


def error_page(error: HTTPException) -> flask.typing.ResponseReturnValue:
    """An error as a page, or in a line for whoever did not ask for HTML."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    heading, usual = map(_, ERRORS.get(error.code, (error.name, "")))
    is_usual = error.code in ERRORS and error.description == type(error).description
    help_text = Markup(usual) if is_usual else Markup.escape(error.description)
    if error.code == 403 and not is_usual:  # which is for who is not signed in
        heading = _("That is not allowed")
    is_stranger = flask.g.get("kind", roles.STRANGER) == roles.STRANGER
    if flask.request.accept_mimetypes.accept_html:
        body = flask.render_template(
            "forbidden.html" if error.code == 403 and is_stranger else "error.html",
            code=error.code,
            heading=heading,
            help=help_text,
        )
        response = flask.make_response(body, error.code)
    else:
        text = f"{heading}. {help_text.striptags()}" if is_usual else error.description
        response = flask.make_response(f"{text}\n", error.code, {"Content-Type": "text/plain"})
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def database_unavailable(error: db.Unavailable) -> flask.typing.ResponseReturnValue:
    """503 for a page that can't be shown without the database."""
    flask.current_app.logger.warning("%s: %s", flask.request.path, error)
    return error_page(ServiceUnavailable(retry_after=5))
