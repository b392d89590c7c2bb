"""The cookie of the pages: Flask's own signed one, which holds the token of a session's row."""

from __future__ import annotations

import ipaddress

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

from app import key_files
from app.config import Settings
from app.ui.mounting import ROOT

KEY_FILE = "promobridge-ui.key"


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
    """Return the key that processes share. Raises Invalid where it cannot be made."""
    return key_files.key(key_files.place(settings.ui_key_file, KEY_FILE, settings))
