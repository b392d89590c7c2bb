"""The pages behind the nginx site: over TLS, with a Secure cookie, and no invitation in a log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.app.ui.people import token_in
from tests.nginx_site import HOST, Answer, Site, put_up
from tests.serving import environment
from tests.waiting import wait_until

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the site."""
    with put_up(tmp_path_factory.mktemp("site")) as site:
        yield site


def cookie_of(answer: Answer) -> str:
    """Return the cookie that an answer sets, which must be for TLS and no script."""
    (line,) = answer.headers.get_all("Set-Cookie") or ()
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/ui"} <= set(line.split("; "))
    (morsel,) = SimpleCookie(line).values()
    return f"{morsel.key}={morsel.coded_value}"


def invited(folder: Path) -> str:
    """Make an admin; return the path of the invitation."""
    add = ("user", "add", "anna", "--role", "admin", "--invite", "--at", f"https://{HOST}")
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *add, "--json"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        timeout=60,
        check=True,
    )
    link = urlsplit(json.loads(done.stdout)["link"])
    assert (link.scheme, link.netloc) == ("https", HOST)
    return link.path


def test_an_invitation_is_taken_up_over_tls_and_stands_in_no_log(site: Site) -> None:
    assert site.ask("/ui/log-in").status == 404
    path = invited(site.folder)
    shown = site.ask(path)
    assert shown.status == 200
    form = {"csrf_token": token_in(shown.content), "password": PASSWORD, "repeated": PASSWORD}
    taken = site.ask(
        path,
        urlencode(form).encode(),
        Cookie=cookie_of(shown),
        Content_Type="application/x-www-form-urlencoded",
    )
    assert taken.status == 303
    page = site.ask("/ui/api", Cookie=cookie_of(taken))
    assert f"https://{HOST}/admin/api.php" in page.content.decode()
    name = page.headers["X-Request-Id"]
    log = site.folder / "promobridge.log"
    wait_until(lambda: name in log.read_text() and name in site.server.log())
    token = path.rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{64}", token)
    for file in site.folder.glob("*.log"):
        assert token not in file.read_text(), file
