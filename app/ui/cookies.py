"""The cookie of the pages: Flask's own signed one, which holds the token of a session's row."""

from __future__ import annotations

import ipaddress
import secrets
from pathlib import Path

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

from app.config import Settings
from app.exchange import private_files
from app.ui.mounting import ROOT
from models.store.errors import Invalid

KEY_FILE = "promobridge-ui.key"
KEY_BYTES = 32
SQLITE = "sqlite:///"


class Cookies(SecureCookieSessionInterface):
    """Mark the cookie as one for TLS alone, unless the browser is on this machine.

    A try on a laptop has no certificate; behind a proxy the address is the browser's.
    """

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether the cookie may travel by TLS alone."""
        try:
            return (
                request.is_secure or not ipaddress.ip_address(request.remote_addr or "").is_loopback
            )
        except ValueError:
            return True


def init_app(app: Flask, settings: Settings) -> None:
    """Keep what a session's cookie says from forgery and from scripts."""
    app.session_interface = Cookies()
    app.config |= {
        "SECRET_KEY": signing_key(settings),
        "SESSION_COOKIE_NAME": "promobridge",
        "SESSION_COOKIE_PATH": ROOT,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a token ends with its session
        "WTF_CSRF_SSL_STRICT": False,  # it asks for a referrer, and pages send none
    }


def signing_key(settings: Settings) -> bytes:
    """Return the key that processes share, of a file for its owner only; make it where none is.

    Raises Invalid where it cannot be made.
    """
    path = key_file(settings)
    if not path.exists():
        try:
            with private_files.replacing(path, clobber=False) as name:
                name.write_text(secrets.token_hex(KEY_BYTES), "ascii")
        except Invalid:
            if not path.exists():  # another process has just made it
                raise
    return path.read_bytes()


def key_file(settings: Settings) -> Path:
    """Return the file of the key: that of the settings, else one beside an SQLite database."""
    if settings.ui_key_file:
        return Path(settings.ui_key_file)
    url = settings.database_url
    return (Path(url.removeprefix(SQLITE)).parent if url.startswith(SQLITE) else Path()) / KEY_FILE
