"""Log in at a real provider of OpenID Connect, which runs here over loopback."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, jsonify, redirect, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from app import create_app
from app.config import BadSetting, Settings
from app.ui.pages import oidc
from models.people import users
from tests.app.ui.people import Person

CLIENT, SECRET = "promobridge", "the secret of the client"


class Provider:
    """Be a provider with one person at it, whose claims a test sets."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "1", "preferred_username": "anna", "groups": ["ops"]}
        self.changes: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "one"})
        self._stranger = RSAKey.generate_key(2048, {"kid": "one"})
        self.forges = False
        app = Flask(__name__)
        app.add_url_rule("/.well-known/openid-configuration", "metadata", self._metadata)
        app.add_url_rule("/keys", "keys", lambda: jsonify(keys=[self._key.as_dict(private=False)]))
        app.add_url_rule("/authorize", "authorize", self._authorize)
        app.add_url_rule("/token", "token", self._token, methods=["POST"])
        self._server = make_server("127.0.0.1", 0, app)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _metadata(self) -> Any:
        return jsonify(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/keys",
            id_token_signing_alg_values_supported=["RS256"],
        )

    def _authorize(self) -> Any:
        self.asked = dict(request.args)
        return redirect(f"{self.asked['redirect_uri']}?code=good&state={self.asked['state']}")

    def _token(self) -> Any:
        sent = request.form
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pair = request.authorization
        known = pair is not None and (pair.username, pair.password) == (CLIENT, SECRET)
        if not known or proof != self.asked["code_challenge"] or sent["code"] != "good":
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60}
        claims |= {"nonce": self.asked["nonce"]} | self.claims | self.changes
        key = self._stranger if self.forges else self._key
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        return jsonify(access_token="x", token_type="Bearer", id_token=token)


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def site(store: Settings, provider: Provider, tmp_path: Path) -> Iterator[Flask]:
    """Return the application with the provider as its log-in service."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    users.add("local", "admin")
    app = create_app(
        Settings(
            database_url=store.database_url,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret_file=str(file),
            oidc_roles="viewer=staff operator=marketing admin=ops",
        )
    )
    yield app
    app.config["USAGE_LOG"].close()


def log_in(client: FlaskClient, query: str = "", **changes: str) -> Any:
    """Go to the provider and back, as a browser does; `changes` are of what comes back."""
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    there = client.get(f"/ui/oidc{query}").location
    try:
        urllib.request.build_opener(Stay).open(there)
    except urllib.error.HTTPError as answer:
        back = urlsplit(answer.headers["Location"])
    sent = {name: values[0] for name, values in parse_qs(back.query).items()}
    return client.get(back.path, query_string=sent | changes)


def said(client: FlaskClient) -> str:
    return client.get("/ui/log-in").text


def test_a_person_comes_in_with_the_role_of_a_claim(site: Flask, provider: Provider) -> None:
    client = site.test_client()
    assert "Log in through the log-in service" in said(client)
    done = log_in(client, "?next=/ui/users")
    assert (done.status_code, done.location) == (303, "/ui/users")
    assert provider.asked["code_challenge_method"] == "S256"
    assert provider.asked["nonce"]
    user = users.by_name("anna")
    assert (user.role, user.password) == ("admin", "")
    # The next time the claims say another name and role: the person is the same.
    provider.claims |= {"preferred_username": "ann", "groups": ["staff", "other", "marketing"]}
    log_in(site.test_client())
    assert users.by_name("anna").role == "operator"
    assert len(users.listed()) == 2
    log_in(site.test_client(), "?again=1")
    assert provider.asked["prompt"] == "login"


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"groups": ["guests"]}, "You have no role here"),
        ({"groups": None}, "You have no role here"),
        ({"preferred_username": "local"}, "There is a user local already"),
        ({"preferred_username": ""}, "A name is one line"),
        ({"sub": "x" * 300}, "A subject has 1 to 255 characters"),
        ({"aud": "another"}, "did not let you in"),
        ({"iss": "https://evil.example"}, "did not let you in"),
        ({"nonce": "another"}, "did not let you in"),
        ({"exp": 1}, "did not let you in"),
    ],
)
def test_who_is_not_let_in(
    site: Flask, provider: Provider, claims: dict[str, Any], sentence: str
) -> None:
    provider.changes = claims
    client = site.test_client()
    assert log_in(client).location == "/ui/log-in"
    assert sentence in said(client)
    assert client.get("/ui/profile").status_code == 303
    assert [user.name for user in users.listed()] == ["local"]


@pytest.mark.parametrize("changes", [{"state": "another"}, {"code": "bad"}])
def test_what_comes_back_must_belong_to_what_was_asked(
    site: Flask, provider: Provider, changes: dict[str, str]
) -> None:
    client = site.test_client()
    assert log_in(client, **changes).location == "/ui/log-in"
    assert "did not let you in" in said(client)


def test_a_token_of_another_key_is_refused(site: Flask, provider: Provider) -> None:
    provider.forges = True
    client = site.test_client()
    assert log_in(client).location == "/ui/log-in"


def test_a_provider_that_is_away(site: Flask, provider: Provider) -> None:
    provider.close()
    client = site.test_client()
    assert client.get("/ui/oidc").location == "/ui/log-in"
    assert "cannot be reached" in said(client)


def test_a_disabled_user_stays_out(site: Flask, provider: Provider) -> None:
    log_in(site.test_client())
    users.enable(users.by_name("anna").id, False)
    client = site.test_client()
    log_in(client)
    assert "This user is disabled" in said(client)
    assert client.get("/ui/profile").status_code == 303


def test_without_a_provider_there_is_no_such_page(app: Flask) -> None:
    person = Person(app, "viewer")
    assert person.text("/ui/oidc", 404)
    assert person.text("/ui/oidc/back", 404)


@pytest.mark.parametrize("text", ["viewer", "boss=x", "viewer="])
def test_roles_that_cannot_be(text: str) -> None:
    with pytest.raises(BadSetting):
        oidc.roles(text)
