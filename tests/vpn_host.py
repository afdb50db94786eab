"""One host of a VPN in a network namespace of its own, for test_vpn.py: the supervised OpenVPN,
and a stream between nodes through it.

    python -m tests.vpn_host SITE.toml serve|send PORT COUNT
"""

from __future__ import annotations

from app import green

green.activate()

import socket  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

from app import settings as settings_file  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.token import site_token  # noqa: E402
from app.wire.connection import admit, connect, proves  # noqa: E402
from app.wire.messages_pb2 import Execute, Hello, Message  # noqa: E402
from app.wire.stream import Stream  # noqa: E402
from app.wire.tls import client_context, server_context  # noqa: E402
from supervisor import catalog, certs, locations, openvpn  # noqa: E402
from supervisor.supervisor import Supervisor  # noqa: E402

SECONDS = 60.0
CODE = "print(factorial(1000))\n" * 1000  # more than a packet holds


def main(file: str, task: str, port: int, count: int) -> None:
    settings = settings_file.read(Path(file))
    locations.make_all(settings)
    host = Supervisor(
        services=openvpn.services(settings),
        rules=catalog.rules(settings),
        on_change=lambda name, state, reason: print(name, state.value, reason, flush=True),
    )
    host.start()
    try:
        if host.wait_settled():
            sys.exit(1)
        if task == "serve":
            serve(settings, port, count)
        else:
            send(settings, port, count)
    finally:
        host.stop()


def serve(settings: Settings, port: int, count: int) -> None:
    """Answer `count` messages of a caller with themselves."""
    context = server_context(certs.identity(settings))
    token = site_token(settings.data_dir)
    done = Event()

    def answer(raw: socket.socket, address: object) -> None:
        secured = context.current().wrap_socket(raw, server_side=True)
        stream = Stream(secured, max_message=1 << 24, silence=30)
        admit(stream, has_token=lambda hello, asked: proves(hello, asked, token), seconds=SECONDS)
        stream.send(Message(hello=Hello(version=1, node="alpha", role="sage")))
        for _ in range(count):
            received = stream.receive()
            assert received
            stream.send_raw(received.raw)
        done.set()

    server = StreamServer((settings.here.address, port), answer)
    server.start()
    print("serves", flush=True)
    done.wait()
    input()  # as long as somebody needs the VPN
    server.stop()


def send(settings: Settings, port: int, count: int) -> None:
    server = settings.hosts[settings.vpn.server].address
    with gevent.Timeout(SECONDS):
        stream, hello = connect(
            f"{server}:{port}",
            Hello(version=1, node=settings.here.address, role="app"),
            token=site_token(settings.data_dir),
            context=client_context(certs.identity(settings)),
            max_message=1 << 24,
            silence=30,
            seconds=SECONDS,
        )
        for number in range(count):
            stream.send(Message(execute=Execute(run=str(number), code=CODE)))
            received = stream.receive()
            assert received
            assert received.message.execute.run == str(number)
            assert received.message.execute.code == CODE
        stream.close()
    print(f"{count} messages to {hello.node} and back", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
