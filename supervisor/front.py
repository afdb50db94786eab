"""What stands between browsers and app servers: HAProxy, with nginx and stunnel beside it.

None of it runs unless [haproxy] host is set, and what is not installed is done without: nginx
and stunnel by HAProxy, HAProxy by nobody: then the app server's own address is the site's.
None of these waits for another or for app servers: HAProxy says itself that the site is
starting, and serves with whatever app servers there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app import layout
from app.settings import Settings
from supervisor import basis, conf, haproxy, locations, nginx, public, stunnel
from supervisor.haproxy import AppServer
from supervisor.service import Reload, Service

LOOPBACK = ("127.0.0.1", "::1")


def is_used(settings: Settings) -> bool:
    """Whether browsers come to HAProxy on this host."""
    has_role = bool(settings.haproxy.host) and "front" in settings.here.roles
    return has_role and haproxy.find_binary(settings) is not None


def is_open(settings: Settings) -> bool:
    """Whether browsers get to an app server that is up."""
    return not is_used(settings) or haproxy.lets_through(settings)


def origin(settings: Settings) -> str:
    """What the site's addresses begin with, for browsers."""
    if settings.app.address:
        return settings.app.address
    if is_used(settings) or (settings.haproxy.host and layout.front_addresses(settings)):
        return public.origin(settings)
    return f"http://{layout.bracketed(settings.app.host)}:{settings.app.port}"


def proxies(settings: Settings) -> tuple[str, ...]:
    """Whom the app servers believe who a browser is."""
    own = (*LOOPBACK, settings.app.host) if is_used(settings) else ()
    fronts = layout.front_addresses(settings) if settings.haproxy.host else ()
    return tuple(dict.fromkeys((*settings.app.proxies, *own, *fronts)))


def services(settings: Settings, app_servers: Sequence[AppServer]) -> tuple[Service, ...]:
    if not is_used(settings):
        return ()
    host, port = settings.haproxy.host, public.ports(settings).https
    has_stunnel = public.stunnel_is_used(settings)
    found = [
        Service(
            name="haproxy",
            prepare=partial(haproxy.prepare, settings, app_servers),
            probe=partial(haproxy.probe, settings),
            reload=Reload(
                haproxy.RELOAD,
                partial(haproxy.content, settings, app_servers),
                partial(haproxy.renew, settings, app_servers),
            ),
            address=str(haproxy.stunnel_socket(settings)) if has_stunnel else host,
            port=None if has_stunnel else port,
            basis=basis.of_haproxy(settings),
        )
    ]
    if nginx.find_binary(settings):
        found.append(
            Service(
                name="nginx",
                prepare=partial(nginx.prepare, settings),
                probe=partial(nginx.probe, settings),
                address=str(nginx.socket_path(settings)),
                basis=basis.of_nginx(settings),
            )
        )
    if has_stunnel:
        found.append(
            Service(
                name="stunnel",
                prepare=partial(stunnel.prepare, settings),
                probe=partial(stunnel.probe, settings),
                reload=Reload(
                    stunnel.RELOAD,
                    partial(stunnel.content, settings),
                    partial(stunnel.renew, settings),
                ),
                address=host,
                port=port,
                basis=basis.of_stunnel(settings),
            )
        )
    return tuple(found)


def publish(settings: Settings) -> None:
    """Make what the pages of an app server that starts now will ask for available to nginx.
    Raises CannotStart."""
    if is_used(settings) and nginx.find_binary(settings):
        nginx.publish(settings)


def notices(settings: Settings) -> tuple[str, ...]:
    """What is done without, and whose configuration is refused, in words."""
    return (*_shortcomings(settings), *_refused(settings))


def _shortcomings(settings: Settings) -> tuple[str, ...]:
    found = []
    if "front" not in settings.here.roles:
        return ()
    if not settings.haproxy.host:
        if not (settings.app.host in LOOPBACK or settings.app.proxies):
            found.append(
                f"browsers reach {settings.app.host} without encryption: leave [app] host at"
                " 127.0.0.1 and set [haproxy] host"
            )
        return tuple(found)
    if haproxy.find_binary(settings) is None:
        return (
            "HAProxy is not installed: the site is at [app] host and port alone, without"
            " encryption (`apt-get install haproxy`)",
        )
    if nginx.find_binary(settings) is None:
        found.append(
            "nginx is not installed: app servers serve static files (`apt-get install nginx-light`)"
        )
    if settings.tls.terminator == "stunnel" and public.find_stunnel(settings) is None:
        found.append("stunnel is not installed: HAProxy does TLS (`apt-get install stunnel4`)")
    return (*found, *_about_ports(settings))


def _about_ports(settings: Settings) -> list[str]:
    ports = public.ports(settings)
    found = []
    if not settings.haproxy.port and ports.https != public.HTTPS:
        found.append(f"not root: browsers find the site at port {ports.https}, not {public.HTTPS}")
    if ports.redirect is None:
        found.append(f"not root: nothing at port {public.HTTP} sends people on to https")
    return found


def _refused(settings: Settings) -> tuple[str, ...]:
    folders = (locations.rendered(settings), public.folder(settings))
    return tuple(words for folder in folders for words in conf.refusals(folder))
