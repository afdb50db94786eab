"""Makes this process cooperative. The one place that patches, and it must run first.

`activate` lets psycopg2 wait in the hub, and unlike psycogreen's own wait callback
cancels the query of a greenlet that was killed or timed out: the server would otherwise
go on computing an answer that nobody reads.
"""

from gevent import monkey

monkey.patch_all()

import contextlib  # noqa: E402

from gevent.socket import wait_read, wait_write  # noqa: E402
from psycogreen.gevent import patch_psycopg  # noqa: E402
from psycopg2 import Error, OperationalError, extensions  # noqa: E402


def _wait(connection: extensions.connection) -> None:
    try:
        while True:
            state = connection.poll()
            if state == extensions.POLL_OK:
                return
            if state == extensions.POLL_READ:
                wait_read(connection.fileno())
            elif state == extensions.POLL_WRITE:
                wait_write(connection.fileno())
            else:
                raise OperationalError(f"psycopg2 poll answered {state}")
    except BaseException:
        # There is nothing to cancel on a connection that is closed or half made.
        with contextlib.suppress(Error):
            connection.cancel()
        raise


def activate() -> None:
    """Make psycopg2 cooperative."""
    patch_psycopg()
    extensions.set_wait_callback(_wait)
