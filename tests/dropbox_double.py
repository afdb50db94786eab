"""`python -m tests.dropbox_double PORT`: the calls of Dropbox's API that Salvus uses, at loopback.

As strict as the original about what it is sent, with files in memory. What a test wants to happen
it says at /control, by `Double`; nothing else here is not Dropbox's.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app import dropbox
from app.dropbox import Tokens
from app.settings import ROOT
from tests.host import free_port

PATIENCE = 30.0
APP, SECRET = "salvus-app", "geheim"
ACCOUNT = {
    "account_id": "dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc",
    "name": {"display_name": "Ada Lövelace"},
    "email": "ada@example.org",
}
SCOPES = "account_info.read files.content.read files.content.write files.metadata.read"
LARGEST_REQUEST = 150_000_000
PAGE = 2  # entries that list_folder gives at a time
COMMIT = {"path", "mode", "autorename", "client_modified", "mute", "strict_conflict"}
CONSENT = """<!doctype html><html lang="en"><title>Dropbox</title><h1>Salvus would like access</h1>
<form method="post" action="{action}"><button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Cancel</button></form>"""


class Answer(Exception):
    """What is answered instead of 200."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


def failure(status: int, *tags: str, **inside: Any) -> Answer:
    """An error of a route: failure(409, "path", "not_found")."""
    error: Any = {".tag": tags[-1], **inside}
    for tag in reversed(tags[:-1]):
        error = {".tag": tag, tag: error}
    return Answer(status, {"error_summary": "/".join(tags) + "/..", "error": error})


def write_failure(*tags: str) -> Answer:
    """An error of upload, which has its reason inside."""
    answer = failure(409, *tags)
    answer.body["error"] = {
        ".tag": "path", "reason": answer.body["error"], "upload_session_id": "x",
    }  # fmt: skip
    return answer


@dataclass
class Kept:
    path: str  # as it was written first
    data: bytes
    rev: str


@dataclass
class State:
    files: dict[str, Kept] = field(default_factory=dict)  # by path in small letters
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: dict[str, tuple[str, float]] = field(default_factory=dict)  # refresh token, end
    refresh: set[str] = field(default_factory=set)
    sessions: dict[str, bytes] = field(default_factory=dict)
    cursors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    troubles: list[dict[str, Any]] = field(default_factory=list)  # of the next calls
    scopes: str = SCOPES
    room: int = 1 << 40  # bytes
    lock: threading.Lock = field(default_factory=threading.Lock)


class Dropbox(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = State()

    def log_message(self, *words: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/oauth2/authorize":
            self._consider(dict(parse_qsl(parts.query)))
            page = CONSENT.format(action=html.escape(self.path))
            self._answer(200, page.encode(), **{"Content-Type": "text/html"})
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        try:
            with self.state.lock:
                result = self._result(path, body)
        except Answer as answer:
            data = answer.body if isinstance(answer.body, bytes) else _bytes(answer.body)
            self._answer(answer.status, data, **answer.headers)
            return
        if isinstance(result, Kept):
            described = json.dumps(self._described(result))
            self._answer(200, result.data, **{"Dropbox-API-Result": described})
        else:
            self._answer(200, _bytes(result))

    def _result(self, path: str, body: bytes) -> Any:
        if path == "/control":
            return self._control(json.loads(body))
        if path == "/oauth2/authorize":
            self._consent(parse_qs(body.decode())["answer"][0])
        self.state.calls.append(path)
        if path == "/oauth2/token":
            return self._token(dict(parse_qsl(body.decode())))
        if not path.startswith("/2/"):
            raise Answer(404, b"")
        self._stumble(path)
        token = self._check_token()
        route = path.removeprefix("/2/")
        if route in ("files/upload", "files/upload_session/start", "files/upload_session/append_v2",
                     "files/upload_session/finish"):  # fmt: skip
            self._demand(self.headers.get("Content-Type") == "application/octet-stream")
            self._demand(len(body) <= LARGEST_REQUEST)
            return self._written(route, self._argument(), body)
        if route == "files/download":
            self._demand(not body and self.headers.get("Content-Type") is None)
            wanted = self._argument(path=str)["path"]
            self._demand(wanted.startswith("/"))
            return self._found(wanted)
        if route in ("users/get_current_account", "auth/token/revoke"):
            self._demand(not body and self.headers.get("Content-Type") is None)
            return ACCOUNT if route.startswith("users") else self._revoke(token)
        self._demand(self.headers.get("Content-Type") == "application/json")
        if route == "files/list_folder":
            return self._listed(json.loads(body))
        if route == "files/list_folder/continue":
            return self._page(json.loads(body)["cursor"])
        raise Answer(404, b"")

    # --- Consent and tokens ---

    def _consider(self, asked: dict[str, str]) -> None:
        assert asked["client_id"] == APP
        assert asked["response_type"] == "code"
        assert asked["token_access_type"] == "offline"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) > 20
        assert set(asked["scope"].split()) == set(SCOPES.split())

    def _consent(self, answer: str) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        self._consider(asked)
        back = {"state": asked["state"]}
        if answer == "allow":
            back["code"] = secrets.token_urlsafe(16)
            self.state.codes[back["code"]] = asked
        else:
            back |= {"error": "access_denied", "error_description": "The user chose not to"}
        raise Answer(302, b"", Location=f"{asked['redirect_uri']}?{urlencode(back)}")

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        id, secret = form.get("client_id"), form.get("client_secret")
        if scheme == "Basic":
            id, _, secret = base64.b64decode(given).decode().partition(":")
        if (id, secret) != (APP, SECRET):
            raise Answer(401, {"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self.state.refresh:
                raise Answer(400, {"error": "invalid_grant", "error_description": "revoked"})
            return self._access_token(form["refresh_token"])
        asked = self.state.codes.pop(form["code"], {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked.get("code_challenge") != challenge:
            raise Answer(400, {"error": "invalid_grant"})
        if asked["redirect_uri"] != form["redirect_uri"]:
            raise Answer(400, {"error": "invalid_grant"})
        refresh = secrets.token_urlsafe(32)
        self.state.refresh.add(refresh)
        return self._access_token(refresh) | {
            "refresh_token": refresh, "account_id": ACCOUNT["account_id"], "uid": "1",
            "scope": self.state.scopes,
        }  # fmt: skip

    def _access_token(self, refresh: str) -> dict[str, Any]:
        access = f"sl.{secrets.token_urlsafe(32)}"
        self.state.access[access] = refresh, time.time() + 14400
        return {"access_token": access, "expires_in": 14400, "token_type": "bearer"}

    def _check_token(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Answer(400, b"The given OAuth 2 access token is malformed.")
        refresh, end = self.state.access.get(token, ("", 0.0))
        if refresh not in self.state.refresh:
            raise failure(401, "invalid_access_token")
        if end < time.time():
            raise failure(401, "expired_access_token")
        return token

    def _revoke(self, token: str) -> None:
        self.state.refresh.discard(self.state.access[token][0])

    # --- Files ---

    def _argument(self, **kinds: type) -> dict[str, Any]:
        raw = self.headers.get("Dropbox-API-Arg", "")
        self._demand(bool(re.fullmatch(r"[ -~]+", raw)))
        argument: dict[str, Any] = json.loads(raw)
        for name, kind in kinds.items():
            self._demand(isinstance(argument.get(name), kind))
        return argument

    def _demand(self, good: bool) -> None:
        if not good:
            raise Answer(400, f"Error in call to API function: {self.path}".encode())

    def _written(self, route: str, argument: dict[str, Any], data: bytes) -> Any:
        sessions = self.state.sessions
        if route.endswith("start"):
            self._demand(set(argument) <= {"close", "session_type"})
            made = secrets.token_hex(8)
            sessions[made] = data
            return {"session_id": made}
        if route.endswith("files/upload"):
            return self._committed(argument, data)
        place = argument["cursor"]
        if place["session_id"] not in sessions:
            raise failure(409, "lookup_failed", "not_found")
        there = sessions[place["session_id"]]
        if place["offset"] != len(there):
            tags = ("incorrect_offset",) if route.endswith("v2") else (
                "lookup_failed", "incorrect_offset",
            )  # fmt: skip
            raise failure(409, *tags, correct_offset=len(there))
        sessions[place["session_id"]] = there + data
        if route.endswith("v2"):
            return None
        try:
            return self._committed(argument["commit"], there + data)
        except Answer as answer:  # finish has its reason outside
            answer.body["error"] = {".tag": "path", "path": answer.body["error"]["reason"]}
            raise

    def _committed(self, commit: dict[str, Any], data: bytes) -> dict[str, Any]:
        self._demand(set(commit) <= COMMIT)
        path, mode = commit["path"], commit["mode"]
        self._demand(bool(re.fullmatch(r"/(.|[\r\n])*", path)))
        kind = mode if isinstance(mode, str) else mode[".tag"]
        self._demand(kind in ("add", "overwrite") or bool(re.fullmatch("[0-9a-f]{9,}", mode[kind])))
        name = path.rpartition("/")[2]
        if name.lower() in ("desktop.ini", "thumbs.db", ".dropbox") or len(name) > 255:
            raise write_failure("disallowed_name")
        if re.search(r'[\\:*?"<>|\x00-\x1f]', path) or name != name.strip():
            raise write_failure("malformed_path")
        if sum(len(one.data) for one in self.state.files.values()) + len(data) > self.state.room:
            raise write_failure("insufficient_space")
        there = self.state.files.get(path.lower())
        suffix = ""
        if there and there.data != data and not (kind == "update" and mode[kind] == there.rev):
            suffix = " (conflicted copy)" if kind == "update" else " (1)"
        if suffix and not commit.get("autorename"):
            raise write_failure("conflict", "file")
        stem, dot, ending = path.rpartition(".")
        number = 1
        while suffix and path.lower() in self.state.files:
            path = f"{stem}{suffix}{dot}{ending}" if dot else f"{ending}{suffix}"
            number += 1
            suffix = f" ({number})" if kind != "update" else f" (conflicted copy {number})"
        if there and there.data == data:
            return self._described(there)
        kept = Kept(path, data, secrets.token_hex(7))
        self.state.files[path.lower()] = kept
        return self._described(kept)

    def _described(self, kept: Kept) -> dict[str, Any]:
        return {
            "name": kept.path.rpartition("/")[2], "id": f"id:{kept.rev}", "rev": kept.rev,
            "path_lower": kept.path.lower(), "path_display": kept.path, "size": len(kept.data),
            "client_modified": "2030-01-02T03:04:05Z", "server_modified": "2030-01-02T03:04:05Z",
        }  # fmt: skip

    def _found(self, path: str) -> Kept:
        kept = self.state.files.get(path.lower())
        if kept is None:
            raise failure(409, "path", "not_found")
        return kept

    def _listed(self, argument: dict[str, Any]) -> dict[str, Any]:
        path = argument["path"].lower()
        self._demand(path == "" or bool(re.fullmatch(r"/(.|[\r\n])*[^/]", path)))
        entries: dict[str, dict[str, Any]] = {}
        for lower, kept in self.state.files.items():
            if not lower.startswith(f"{path}/"):
                continue
            name, slash, _ = kept.path[len(path) + 1 :].partition("/")
            folder = {".tag": "folder", "name": name, "path_lower": f"{path}/{name.lower()}",
                      "path_display": f"{kept.path[:len(path)]}/{name}"}  # fmt: skip
            entries[name.lower()] = (
                folder if slash else {".tag": "file", **self._described(kept)}
            )
        if not entries and path:
            raise failure(409, "path", "not_found")
        cursor = secrets.token_hex(8)
        self.state.cursors[cursor] = list(entries.values())
        return self._page(cursor)

    def _page(self, cursor: str) -> dict[str, Any]:
        left = self.state.cursors.pop(cursor)
        following = secrets.token_hex(8)
        self.state.cursors[following] = left[PAGE:]
        return {"entries": left[:PAGE], "cursor": following, "has_more": len(left) > PAGE}

    # --- What tests say ---

    def _stumble(self, path: str) -> None:
        """What the next call of a route, named by its end, is to meet."""
        for trouble in self.state.troubles:
            if path.endswith(trouble["route"]):
                self.state.troubles.remove(trouble)
                headers = {"Retry-After": trouble["wait"]} if "wait" in trouble else {}
                raise Answer(trouble["status"], trouble.get("body", b""), **headers)

    def _control(self, order: dict[str, Any]) -> Any:
        state = self.state
        for path, text in order.get("put", {}).items():
            state.files[path.lower()] = Kept(path, text.encode(), secrets.token_hex(7))
        for path in order.get("delete", ()):
            del state.files[path.lower()]
        if order.get("expire"):
            state.access = {token: (of, 0.0) for token, (of, _) in state.access.items()}
        if order.get("withdraw"):
            state.refresh.clear()
        state.troubles += order.get("troubles", [])
        state.room, state.scopes = order.get("room", state.room), order.get("scopes", state.scopes)
        if order.get("reset"):
            type(self).state = State()
        files = {kept.path: base64.b64encode(kept.data).decode() for kept in state.files.values()}
        return {"files": files, "calls": state.calls, "connected": len(state.refresh)}

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Type" not in headers:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


class Double:
    """The same from without: Dropbox in a process of its own."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def tell(self, **order: Any) -> dict[str, Any]:
        """Have something happen there; how it is there then."""
        answer = requests.post(f"{self.address}/control", json=order, timeout=PATIENCE)
        answer.raise_for_status()
        return cast(dict[str, Any], answer.json())

    @property
    def files(self) -> dict[str, bytes]:
        found = self.tell()["files"]
        return {path: base64.b64decode(data) for path, data in found.items()}

    def consent(self, away: str, answer: str = "allow") -> str:
        """The person answers there; where their browser is sent."""
        sent = requests.post(
            away, data={"answer": answer}, timeout=PATIENCE, allow_redirects=False
        )
        assert sent.status_code == 302, sent.text
        return sent.headers["Location"]

    def tokens(self) -> Tokens:
        """Some that are good."""
        away = f"{self.address}/oauth2/authorize?" + "&".join((
            f"client_id={APP}", "response_type=code", "token_access_type=offline",
            "code_challenge_method=S256", f"state={'s' * 30}", f"redirect_uri={self.address}",
            f"code_challenge={create_s256_code_challenge('v')}",
            f"scope={'+'.join(dropbox.SCOPES)}",
        ))  # fmt: skip
        code = parse_qs(urlsplit(self.consent(away)).query)["code"][0]
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": "v",
            "redirect_uri": self.address, "client_id": APP, "client_secret": SECRET,
        }  # fmt: skip
        answer = requests.post(f"{self.address}/oauth2/token", data=form, timeout=PATIENCE)
        return dropbox.tokens_of(answer.json())

    @property
    def is_up(self) -> bool:
        try:
            requests.get(self.address, timeout=PATIENCE)
        except requests.ConnectionError:
            return False
        return True


@contextmanager
def started() -> Iterator[Double]:
    port = free_port()
    command = [sys.executable, "-m", "tests.dropbox_double", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            double, deadline = Double(port), time.monotonic() + PATIENCE
            while not double.is_up:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield double
        finally:
            server.terminate()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Dropbox).serve_forever()
