"""Connections from here go on from another network namespace, for tests/networks.py.

    python -m tests.door PORT NAMESPACE HOST:PORT
"""

from __future__ import annotations

from app import green

green.activate()

import ctypes  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402

CLONE_NEWNET = 0x40000000


def main(port: int, namespace: str, address: str) -> None:
    with socket.create_server(("127.0.0.1", port)) as listening:
        with open(f"/run/netns/{namespace}", "rb") as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        print("open", flush=True)
        host, _, there_port = address.rpartition(":")
        while True:
            near, _ = listening.accept()
            gevent.spawn(_join, near, (host, int(there_port)))


def _join(near: socket.socket, address: tuple[str, int]) -> None:
    with near:
        try:
            far = socket.create_connection(address, timeout=10)
        except OSError:
            return
        far.settimeout(None)
        with far:
            ways = [gevent.spawn(_carry, near, far), gevent.spawn(_carry, far, near)]
            gevent.joinall(ways, count=1)
            gevent.killall(ways)


def _carry(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass  # the other side is told by the end


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
