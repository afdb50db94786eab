"""Dropbox's HTTP API, as far as Salvus uses it: files in the folder of one app, of one person.

https://www.dropbox.com/developers/documentation/http/documentation. What a call takes beside
content is JSON in a header, in ASCII. Access tokens are good for some hours; another one is had
for the refresh token, until the person withdraws that. Whatever is repeated here is harmless:
content that is there already is not written again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gevent
import requests

SCOPES = (
    "account_info.read", "files.metadata.read", "files.content.read", "files.content.write",
)  # fmt: skip
TIMEOUT = 10.0, 60.0  # seconds: to connect, and for the next piece of an answer
PIECE = 1 << 19  # bytes in which files come
CHUNK = 8 << 20  # bytes of one request; what is larger goes in several
MOST_ENTRIES = 2000  # of a folder
TRIES = 4
LONGEST_WAIT = 10.0  # seconds, if Dropbox asks for a pause
MARGIN = 60.0  # seconds before its end from which on a token is renewed

log = logging.getLogger(__name__)


class Trouble(Exception):
    """Something could not be done at Dropbox. `kind` is one of KINDS; absent: none is connected."""

    KINDS = frozenset((
        "absent", "unreachable", "withdrawn", "scope", "full", "missing", "name", "conflict",
        "busy", "refused",
    ))  # fmt: skip

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


TROUBLES = {  # by what Dropbox calls it
    "insufficient_space": "full",
    "not_found": "missing",
    "not_file": "missing",
    "not_folder": "missing",
    "malformed_path": "name",
    "disallowed_name": "name",
    "conflict": "conflict",
    "too_many_write_operations": "busy",
    "too_many_requests": "busy",
    "missing_scope": "scope",
    "expired_access_token": "withdrawn",
    "invalid_access_token": "withdrawn",
    "user_suspended": "withdrawn",
    "invalid_client": "refused",  # the secret in the settings is not the app's
}


@dataclass(frozen=True)
class Hosts:
    """Where Dropbox is."""

    site: str = "https://www.dropbox.com"  # where people consent
    api: str = "https://api.dropboxapi.com"
    content: str = "https://content.dropboxapi.com"


def hosts(address: str) -> Hosts:
    """Dropbox's own, or all at another address."""
    base = address.rstrip("/")
    return Hosts(base, base, base) if base else Hosts()


@dataclass(frozen=True)
class Tokens:
    refresh: str
    access: str = ""
    expires: float = 0.0  # Unix seconds


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    email: str


@dataclass(frozen=True)
class Entry:
    """Of a folder. Names are whatever people and their programs have chosen."""

    name: str
    path: str
    is_folder: bool = False
    size: int = 0  # bytes
    changed: datetime | None = None
    rev: str = ""


@dataclass(frozen=True)
class Content:
    """A file that is being fetched: `pieces` may raise Trouble."""

    entry: Entry
    pieces: Iterator[bytes]


class Dropbox:
    """One person's, by their tokens. Everything may raise Trouble."""

    def __init__(
        self, *, id: str, secret: str, hosts: Hosts, tokens: Tokens,
        keep: Callable[[Tokens], None],
    ) -> None:  # fmt: skip
        """`id`, `secret`: of the app at Dropbox; `keep` is told of renewed tokens."""
        self._id = id
        self._secret = secret
        self._hosts = hosts
        self._tokens = tokens
        self._keep = keep

    def person(self) -> Person:
        said = self._ask("users/get_current_account", None)
        name = said.get("name")
        return Person(
            str(said.get("account_id", "")),
            _text(name.get("display_name") if isinstance(name, dict) else ""),
            _text(said.get("email")),
        )

    def folder(self, path: str) -> list[Entry]:
        """What is in a folder, folders first; "" is the app's own."""
        said = self._ask("files/list_folder", {"path": path})
        found = [_entry(each) for each in said["entries"]]
        while said["has_more"] and len(found) < MOST_ENTRIES:
            said = self._ask("files/list_folder/continue", {"cursor": said["cursor"]})
            found += [_entry(each) for each in said["entries"]]
        return sorted(found, key=lambda one: (not one.is_folder, one.name.casefold(), one.name))

    def download(self, path: str) -> Content:
        response = self._call(
            f"{self._hosts.content}/2/files/download", argument={"path": path}, stream=True
        )
        try:
            entry = _entry(json.loads(response.headers["Dropbox-API-Result"]))
        except (KeyError, ValueError) as error:
            raise Trouble("refused", f"no description of the file: {error}") from None
        return Content(entry, _pieces(response))

    def upload(
        self, path: str, pieces: Iterator[bytes], *, rev: str = ""
    ) -> Generator[int, None, Entry]:
        """Save a file; yields the bytes that are there so far, and returns how it is called.

        Nothing is overwritten but the file of `rev`: what has the name, or has been changed since,
        stays, and this one gets another name.
        """
        mode: Any = {".tag": "update", "update": rev} if rev else {".tag": "add"}
        commit = {"path": path, "mode": mode, "autorename": True}
        chunks = _chunks(pieces)
        data, following = next(chunks, b""), next(chunks, None)
        if following is None:
            said = self._put("upload", commit, data)
            yield len(data)
            return _entry(said)
        session = self._put("upload_session/start", {"close": False}, data)["session_id"]
        sent = len(data)
        while following is not None:
            yield sent
            data, following = following, next(chunks, None)
            place = {"session_id": session, "offset": sent}
            if following is not None:
                self._append({"cursor": place, "close": False}, data)
            else:
                said = self._put("upload_session/finish", {"cursor": place, "commit": commit}, data)
            sent += len(data)
        yield sent
        return _entry(said)

    def revoke(self) -> None:
        """Give all access back."""
        self._ask("auth/token/revoke", None)

    # --- Calls ---

    def _ask(self, route: str, argument: Any) -> Any:
        """A call whose argument and answer are JSON."""
        body = None if argument is None else json.dumps(argument).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        response = self._call(f"{self._hosts.api}/2/{route}", data=body, headers=headers)
        return _json(response)

    def _put(self, route: str, argument: Any, data: bytes) -> Any:
        response = self._call(
            f"{self._hosts.content}/2/files/{route}",
            argument=argument,
            data=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        return _json(response)

    def _append(self, argument: Any, data: bytes) -> None:
        """A repeat of what has arrived is told so, and that is fine."""
        try:
            self._put("upload_session/append_v2", argument, data)
        except Offset as error:
            if error.offset != argument["cursor"]["offset"] + len(data):
                raise Trouble("refused", "the upload is out of step") from None

    def _call(
        self, address: str, *, argument: Any = None, data: bytes | None = None,
        headers: dict[str, str] | None = None, stream: bool = False,
    ) -> requests.Response:  # fmt: skip
        """An answer of 200; a pause that Dropbox asks for is made, if it is short."""
        sent = dict(headers or {})
        sent["Accept-Encoding"] = "identity"
        if argument is not None:
            sent["Dropbox-API-Arg"] = header_json(argument)
        renewed = False
        for left in reversed(range(TRIES)):
            response = _send(
                address, data, sent, stream=stream, auth=_Bearer(self._access_token())
            )
            if response.status_code == 200:
                return response
            trouble = _trouble(response)
            response.close()
            if trouble.kind == "withdrawn" and not renewed:
                self._renew()
                renewed = True
                continue
            wait = _wait_seconds(response)
            if trouble.kind not in ("busy", "unreachable") or wait > LONGEST_WAIT or not left:
                raise trouble
            gevent.sleep(wait)
        raise trouble

    def _access_token(self) -> str:
        if self._tokens.expires < time.time() + MARGIN:
            self._renew()
        return self._tokens.access

    def _renew(self) -> None:
        response = _send(
            f"{self._hosts.api}/oauth2/token",
            {
                "grant_type": "refresh_token", "refresh_token": self._tokens.refresh,
                "client_id": self._id, "client_secret": self._secret,
            },
            {},
        )  # fmt: skip
        said = _json(response) if response.status_code in (200, 400, 401) else {}
        if said.get("error") == "invalid_grant":
            raise Trouble("withdrawn")
        if response.status_code != 200:
            raise _trouble(response)
        self._tokens = tokens_of({"refresh_token": self._tokens.refresh, **said})
        self._keep(self._tokens)


class Offset(Trouble):
    """Dropbox has another part of an upload than was thought."""

    def __init__(self, offset: int) -> None:
        super().__init__("refused", f"Dropbox has {offset} bytes")
        self.offset = offset


class _Bearer(requests.auth.AuthBase):
    """Said by us, so that no .netrc of this host says something else."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def tokens_of(said: dict[str, Any]) -> Tokens:
    """What the token endpoint has answered. Raises Trouble."""
    refresh, access, seconds = (
        said.get("refresh_token"), said.get("access_token"), said.get("expires_in", 0),
    )  # fmt: skip
    if not isinstance(refresh, str) or not isinstance(access, str):
        raise Trouble("refused", "no tokens came")
    try:
        return Tokens(refresh, access, time.time() + float(seconds))
    except (TypeError, ValueError):
        raise Trouble("refused", "tokens without an end came") from None


def header_json(value: Any) -> str:
    """JSON that a header may have: all but printable ASCII is escaped."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _send(
    address: str, data: Any, headers: dict[str, str], *, stream: bool = False,
    auth: requests.auth.AuthBase | None = None,
) -> requests.Response:  # fmt: skip
    try:
        return requests.post(
            address, data=data, headers=headers, timeout=TIMEOUT, stream=stream,
            auth=auth or _nobody, allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as error:
        raise Trouble("unreachable", str(error)) from None


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise Trouble("refused", "an answer that is no JSON") from None


def _trouble(response: requests.Response) -> Trouble:
    """What an answer that is not 200 means."""
    status = response.status_code
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError, requests.RequestException):
        error = {}
    tags = list(_tags(error))
    if "incorrect_offset" in tags:
        return Offset(int(_inside(error).get("correct_offset", -1)))
    kind = next((TROUBLES[tag] for tag in tags if tag in TROUBLES), "")
    if not kind:
        kind = {401: "withdrawn", 429: "busy"}.get(status, "unreachable" if status >= 500 else "")
    detail = f"{status} {'/'.join(tags) or response.reason}"
    log.log(logging.INFO if kind else logging.WARNING, "%s: %s", response.url, detail)
    return Trouble(kind or "refused", detail)


def _tags(error: Any) -> Iterator[str]:
    """Dropbox's words for an error, from the outermost: path, conflict, file."""
    while isinstance(error, dict) and isinstance(error.get(".tag"), str):
        tag = error[".tag"]
        yield tag
        error = error.get("reason", error.get(tag))
    if isinstance(error, str):
        yield error


def _inside(error: Any) -> dict[str, Any]:
    """What is said of the innermost error."""
    while isinstance(error, dict) and isinstance(error.get(error.get(".tag", "")), dict):
        error = error[error[".tag"]]
    return error if isinstance(error, dict) else {}


def _wait_seconds(response: requests.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", 1.0)))
    except ValueError:
        return 1.0


def _entry(said: Any) -> Entry:
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        raise Trouble("refused", "a file without a name")
    path = said.get("path_display") or said.get("path_lower") or f"/{said['name']}"
    if not isinstance(path, str):
        raise Trouble("refused", "a file without a path")
    size, rev = said.get("size", 0), said.get("rev", "")
    return Entry(
        name=_clean(said["name"]),
        path=_clean(path),
        is_folder=said.get(".tag") == "folder",
        size=size if isinstance(size, int) else 0,
        changed=_moment(said.get("server_modified")),
        rev=rev if isinstance(rev, str) else "",
    )


def _moment(said: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(said).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _pieces(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(PIECE)
    except requests.RequestException as error:
        raise Trouble("unreachable", str(error)) from None
    finally:
        response.close()


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in CHUNKs, the last of which is what is left."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)


def _text(said: Any) -> str:
    return _clean(said)[:200] if isinstance(said, str) else ""


def _clean(text: str) -> str:
    """As pages and the database can have it: names may hold anything that JSON can."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
