"""Connections to MariaDB: what they share."""

from __future__ import annotations

import ssl

from models.store.mariadb_connection import Connection


def test_the_certificates_are_read_once_for_each_way_to_ask() -> None:
    first, second = (Connection(defer_connect=True) for _ in range(2))
    assert first.ctx is second.ctx
    strict = Connection(defer_connect=True, ssl_verify_identity=True)
    assert strict.ctx is not first.ctx
    assert (first.ctx.verify_mode, first.ctx.check_hostname) == (ssl.CERT_NONE, False)


def test_who_asks_for_it_gets_certificate_and_name_checked() -> None:
    strict = Connection(defer_connect=True, ssl_verify_identity=True)
    assert (strict.ctx.verify_mode, strict.ctx.check_hostname) == (ssl.CERT_REQUIRED, True)
