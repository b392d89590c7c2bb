"""Connection to MariaDB that detects a server which has stopped answering."""

from __future__ import annotations

import select
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, ClassVar

from pymysql import connections, err
from pymysql.constants import COMMAND, CR, SERVER_STATUS

SILENT_SECONDS, PING_SECONDS = 5.0, 1.0
"""How long a statement, or a ping, is waited for before the server is asked whether it is there."""


def _never() -> bool:
    return False


class Connection(connections.Connection):
    """Probe a silent server over a second connection: a frozen one keeps its sockets open.

    A timeout would cut off statements that merely take long, and it could not be short.
    """

    is_reachable: Callable[[], bool] = staticmethod(_never)
    _contexts: ClassVar[dict[tuple[tuple[str, Any], ...], SSLContext]] = {}

    def _create_ssl_ctx(self, sslp: dict[str, Any]) -> SSLContext:
        """Read the certificates once: PyMySQL would for each connection, and take 50 ms for it."""
        wanted = tuple(sorted(sslp.items()))
        if wanted not in self._contexts:
            made = super()._create_ssl_ctx(sslp)
            # Asked to look at the name, PyMySQL would not where the authorities are the system's.
            made.check_hostname = made.check_hostname or bool(sslp.get("check_hostname"))
            self._contexts[wanted] = made
        return self._contexts[wanted]

    def _execute_command(self, command: int, sql: Any) -> None:
        super()._execute_command(command, sql)
        patience = PING_SECONDS if command == COMMAND.COM_PING else SILENT_SECONDS
        while not self._has_answer(patience):
            if not self.is_reachable():
                self._force_close()
                raise err.OperationalError(CR.CR_SERVER_LOST, "The server is silent")

    def get_transaction_status(self) -> bool:
        """Tell the pool whether a transaction is open, which saves a ROLLBACK."""
        return bool(self.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def _has_answer(self, seconds: float) -> bool:
        """Wait for the first byte of the answer; nothing of it can have been read yet."""
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))
