"""Where the panel is, who vouches for it, and our own pair there, as the settings say."""

from __future__ import annotations

import os
import ssl
import stat
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from app.config import BadSetting, Settings, variable
from models.access.accesses import Pair


def checked_url(settings: Settings) -> SplitResult:
    """Return the parts of the panel's URL. Raises BadSetting."""
    name = variable("panel_url")
    text = settings.panel_url
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise BadSetting(f"{name} must be a URL such as https://panel.example/admin/api.php")
    if url.query or url.fragment or url.username is not None:
        raise BadSetting(f"{name} must have no query, no fragment and no user: keys are callers'")
    if url.scheme == "https":
        return url
    if url.scheme != "http":
        raise BadSetting(f"{name} must begin with https://")
    if not (settings.panel_plain_http or _is_loopback(host)):
        raise BadSetting(
            f"{name} must begin with https://: keys travel in it. http:// is for this machine, "
            f"and for others with {variable('panel_plain_http')}=1"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def context(ca: str) -> ssl.SSLContext:
    """Return what verifies the panel's certificate, by a file or the system. Raises BadSetting."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError:  # ssl.SSLError is one
        raise BadSetting(f"{variable('panel_ca')} must be a file of PEM certificates") from None


def own_pair(settings: Settings) -> Pair:
    """Return our own id and key at the panel, read anew. Raises BadSetting."""
    name, path = variable("panel_credentials_file"), settings.panel_credentials_file
    if not path:
        raise BadSetting(f"{name} must name a file with an id and a key of the panel on two lines")
    try:
        with open(path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise BadSetting(f"{name}: others may read that file; chmod 600 it")
            lines = file.read(1024).split()
    except OSError as problem:
        raise BadSetting(f"{name}: the file cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 2:
        raise BadSetting(f"{name}: the file must hold an id and a key, on two lines")
    return Pair(*lines)
