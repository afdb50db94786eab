"""Makes this process cooperative. The one place that patches, and it must run first.

Traps: a query whose greenlet was killed or timed out is not cancelled from here, as libpq's
cancel would hold the whole process up while the network is cut. psycopg2 closes the connection,
and the server ends the query by itself (app/db.py: CHECK_MILLISECONDS).
"""

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg  # noqa: E402


def activate() -> None:
    """Make psycopg2 cooperative."""
    patch_psycopg()
