"""What Salvus knows of the providers that people may sign in with, and how each says who it is.

Google is asked like any OpenID provider: for a signed statement. The others have a page of
their own for that, whose answer is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.identities import Identity
from app.settings import Provider

OPENID_SCOPE = "openid email profile"
CONFIGURATION = "/.well-known/openid-configuration"


class NoIdentity(Exception):
    """The provider did not say who the person is; the text says what was wrong."""


@dataclass(frozen=True)
class Known:
    """How a provider is spoken with. With an `issuer` its own configuration says the rest."""

    title: str
    issuer: str = ""
    authorize: str = ""
    token: str = ""
    profile: str = ""  # the page that says who somebody is
    method: str = "GET"  # of asking it
    scope: str = OPENID_SCOPE
    read: Callable[[Mapping[str, Any]], tuple[Any, Any, Any]] | None = None  # id, name, e-mail


KNOWN = {
    "google": Known("Google", issuer="https://accounts.google.com"),
    "facebook": Known(
        "Facebook",
        authorize="https://www.facebook.com/v23.0/dialog/oauth",
        token="https://graph.facebook.com/v23.0/oauth/access_token",
        profile="https://graph.facebook.com/v23.0/me?fields=id,name,email",
        scope="public_profile email",
        read=lambda said: (said["id"], said.get("name"), said.get("email")),
    ),
    "dropbox": Known(
        "Dropbox",
        authorize="https://www.dropbox.com/oauth2/authorize",
        token="https://api.dropboxapi.com/oauth2/token",
        profile="https://api.dropboxapi.com/2/users/get_current_account",
        method="POST",
        scope="account_info.read",
        read=lambda said: (
            said["account_id"], said.get("name", {}).get("display_name"), said.get("email")
        ),
    ),
    "github": Known(
        "GitHub",
        authorize="https://github.com/login/oauth/authorize",
        token="https://github.com/login/oauth/access_token",
        profile="https://api.github.com/user",
        scope="read:user",
        read=lambda said: (said["id"], said.get("name") or said.get("login"), said.get("email")),
    ),
}  # fmt: skip


def known(name: str, provider: Provider) -> Known:
    """How to speak with a provider of the settings."""
    if name in KNOWN:
        return KNOWN[name]
    return Known(provider.title or name.capitalize(), issuer=provider.issuer)


def identity(name: str, spoken: Known, said: Mapping[str, Any]) -> Identity:
    """Who somebody is, by an OpenID statement or the answer of a profile page.

    Raises NoIdentity.
    """
    try:
        read = spoken.read
        subject, person, email = (
            read(said) if read else (said["sub"], said.get("name"), said.get("email"))
        )
    except (KeyError, AttributeError, TypeError):
        raise NoIdentity("its answer has no id") from None
    is_id = isinstance(subject, str | int) and not isinstance(subject, bool)
    if not is_id or subject in ("", 0) or "\0" in str(subject):
        raise NoIdentity("its answer has no id")
    return Identity(name, str(subject), _text(person), _text(email))


def check_issuer(spoken: Known, metadata: Mapping[str, Any]) -> None:
    """Raises NoIdentity if another one's configuration was found there."""
    if str(metadata.get("issuer", "")).rstrip("/") != spoken.issuer.rstrip("/"):
        raise NoIdentity(f"{spoken.issuer} calls itself {metadata.get('issuer')}")


def _text(found: Any) -> str:
    return found.replace("\0", "")[:200] if isinstance(found, str) else ""
