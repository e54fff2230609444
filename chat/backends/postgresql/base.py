"""PostgreSQL, where no request waits long for a server that is away or frozen, nor gets a connection that is dead.

psycopg's pool retries with delays that double, so it would be down for seconds after the server is back. Here it gives
up at once, and the next who need a connection try again: one of them at a time, and at most every RETRY_DELAY.
"""

import select
import threading
import time

import psycopg
from django.db.backends.postgresql import base
from psycopg import pq

from .. import limits

RETRY_DELAY = 0.5  # seconds
WAIT_INTERVAL = 0.1  # seconds between looks at the clock while an answer is awaited: psycopg's own
AWAY = "the server could not be reached a moment ago"


class Circuit:
    """Whether the server can be reached. While it cannot, one thread tries and the others are refused at once."""

    def __init__(self) -> None:
        self.is_open = False  # the last attempt failed
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def enter(self, timeout: float) -> None:
        """Raises OperationalError if another thread tries already, for `timeout` seconds at most."""
        if not self.is_open:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._retry_at:
                raise psycopg.OperationalError(AWAY)
            self._retry_at = now + timeout

    def failed(self) -> None:
        self._retry_at = time.monotonic() + RETRY_DELAY
        self.is_open = True

    def succeeded(self) -> None:
        self.is_open = False


circuit = Circuit()


class Connection(psycopg.Connection):
    """A connection that is given up when an answer takes longer than the limit: the server may be frozen."""

    idle_timeout: float | None = None  # that the server was told

    def wait(self, gen, interval=WAIT_INTERVAL, timeout=None):
        try:
            return super().wait(gen, interval, timeout or limits.answer_timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:  # no answer came
                self.pgconn.finish()
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, settings_dict, *args, **kwargs):
        options = settings_dict["OPTIONS"]
        if options.get("pool"):
            pool = {**options["pool"], "connection_class": Connection, "reconnect_failed": refuse_waiting}
            settings_dict = {**settings_dict, "OPTIONS": {**options, "pool": pool}}
        super().__init__(settings_dict, *args, **kwargs)

    def get_new_connection(self, conn_params):
        if not self.pool:
            return super().get_new_connection(conn_params)
        circuit.enter(self.pool.timeout + RETRY_DELAY)
        try:
            connection = super().get_new_connection(conn_params)
            while is_dead(connection):
                connection.close()
                self.pool.putconn(connection)  # which makes another one
                connection = super().get_new_connection(conn_params)
        except Exception:
            circuit.failed()
            raise
        circuit.succeeded()
        return connection

    def _configure_connection(self, connection):
        is_changed = super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        if not isinstance(connection, Connection) or connection.idle_timeout == limits.idle_timeout:
            return is_changed
        milliseconds = round(1000 * (limits.idle_timeout or 0))
        connection.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
        connection.idle_timeout = limits.idle_timeout
        return True


def is_dead(connection: psycopg.Connection) -> bool:
    """Whether the server has closed the connection. Costs microseconds; a `SELECT 1` would be a round trip each time.

    An idle connection has nothing to say, except that it ends. Another rare message, such as a changed setting, costs
    a new connection.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def refuse_waiting(pool) -> None:
    """Refuses those who wait for the connection that could not be made; psycopg lets them wait for the timeout."""
    with pool._lock:
        waiting = list(pool._waiting)
        pool._waiting.clear()
    for position in waiting:
        position.fail(psycopg.OperationalError(AWAY))
