"""Who may log in, what a session is, and what a role may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.ui.application import create_pages
from app.ui.roles import ADMIN, OPERATOR, VIEWER, need_of
from models.people import invites, passwords, sessions, users
from models.people.sessions import PageSession
from models.store import clock
from models.store.base import database
from models.store.errors import Invalid
from tests.app.ui.people import Person, token_in

PASSWORD = "correct horse battery"
NAMES = {"int": "1", "path": "x", "default": "x"}


@pytest.fixture
def anna(app: Flask) -> users.PageUser:
    return users.add("anna", ADMIN, PASSWORD)


def logged_in(app: Flask, name: str = "anna", password: str = PASSWORD, next_: str = "") -> Any:
    client = app.test_client()
    page = client.get("/ui/log-in")
    form = {"csrf_token": token_in(page.data), "name": name, "password": password, "next": next_}
    return client, client.post("/ui/log-in", data=form)


def endpoints(app: Flask) -> Iterator[tuple[str, str, str | None, bool]]:
    """Yield method, path, role and whether a fresh log-in is asked for, of every view."""
    pages = create_pages(app.config, lambda made: None)
    for rule in pages.url_map.iter_rules():
        need = need_of(pages.view_functions[rule.endpoint])
        if rule.endpoint == "static":
            continue
        assert need is not None, rule.endpoint
        path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
        path = re.sub(
            r"<(?:(\w+):)?\w+>", lambda found: NAMES.get(found[1] or "default", "x"), path
        )
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            yield method, f"/ui{path}", need.role, need.fresh


def test_a_name_and_a_password_log_in(app: Flask, anna: users.PageUser) -> None:
    client, response = logged_in(app, " ANNA ")
    assert (response.status_code, response.location) == (303, "/ui/")
    cookie = response.headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/ui", "SameSite=Lax"} <= set(cookie.split("; "))
    assert b"anna" in client.get("/ui/profile").data
    assert users.by_name("anna").seen_at


def test_a_cookie_of_another_machine_travels_by_tls_alone(app: Flask, anna: Any) -> None:
    here = app.test_client().get("/ui/log-in").headers["Set-Cookie"]
    there = app.test_client().get("/ui/log-in", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert "Secure" not in here
    assert "; Secure;" in there.headers["Set-Cookie"]


@pytest.mark.parametrize(("name", "password"), [("anna", "x" * 20), ("otto", PASSWORD), ("", "")])
def test_who_is_wrong_learns_nothing(app: Flask, anna: Any, name: str, password: str) -> None:
    _, response = logged_in(app, name, password)
    assert response.status_code == 401
    assert (b"The name or the password is wrong." in response.data) == bool(name)


def test_an_unknown_name_costs_as_much(
    app: Flask, anna: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    verify = argon2.PasswordHasher.verify

    def counted(self: Any, kept: str, password: bytes) -> Any:
        looked_at.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    for name in ("anna", "otto"):
        logged_in(app, name, "wrong password")
    assert len(looked_at) == 2
    assert all(kept.startswith("$argon2id$v=19$m=65536,") for kept in looked_at)


def test_who_guesses_is_locked_out_before_any_work(app: Flask, anna: Any) -> None:
    limits = app.config["LIMITS"]
    for _ in range(29):
        limits.wrong_credentials("127.0.0.1", "page:anna")
    _, response = logged_in(app, password="wrong password")
    _, response = logged_in(app)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 200


def test_one_password_is_looked_at_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [], []
    hashing = argon2.PasswordHasher.hash

    def watched(self: Any, password: bytes, **options: Any) -> str:
        inside.append(1)
        most.append(len(inside))
        try:
            return hashing(self, password, **options)
        finally:
            inside.pop()

    monkeypatch.setattr(argon2.PasswordHasher, "hash", watched)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(passwords.digest, [PASSWORD] * 4))
    assert most == [1, 1, 1, 1]


def test_who_waits_too_long_is_told_so(
    app: Flask, anna: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    with passwords._in_turn():
        _, response = logged_in(app)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("password", ["short", "x" * 129, "Anna is the name"])
def test_bad_passwords_are_refused(app: Flask, password: str) -> None:
    with pytest.raises(Invalid):
        users.add("anna", VIEWER, password)


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("/ui/users?x=1", "/ui/users?x=1"),
        ("https://evil.example/", "/ui/"),
        ("//evil.example", "/ui/"),
        ("/\\evil.example", "/ui/"),
        ("/ui/\r\nSet-Cookie: a=b", "/ui/"),
        ("/admin/api.php", "/ui/"),
    ],
)
def test_a_log_in_leads_to_pages_alone(app: Flask, anna: Any, asked: str, got: str) -> None:
    _, response = logged_in(app, next_=asked)
    assert response.location == got


def test_a_session_ends(app: Flask, anna: users.PageUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_in(client: FlaskClient) -> bool:
        return client.get("/ui/profile").status_code == 200

    person = Person(app, ADMIN, "anna")
    kept = person.client.get_cookie("promobridge", path="/ui")
    assert kept is not None
    person.post("/ui/log-out", at="/ui/profile")
    person.client.set_cookie("promobridge", kept.value, path="/ui")
    assert not is_in(person.client), "a cookie of before the log-out"
    users.add("otto", ADMIN)
    for end in (
        lambda: users.enable(anna.id, False),
        lambda: users.reset(anna.id),
        lambda: users.set_password(anna, PASSWORD),
    ):
        users.enable(anna.id, True)
        person = Person(app, ADMIN, "anna")
        assert is_in(person.client)
        end()
        assert not is_in(person.client)
    person = Person(app, ADMIN, "otto")
    later = clock.now() + sessions.SECONDS
    monkeypatch.setattr(clock, "now", lambda: later)
    assert not is_in(person.client)
    sessions.begin(anna.id)
    assert PageSession.select().count() == 1, "rows of ended sessions go"


def test_a_session_cannot_be_fixed(app: Flask, anna: Any) -> None:
    client = app.test_client()
    page = client.get("/ui/log-in")
    before = client.get_cookie("promobridge", path="/ui")
    form = {"csrf_token": token_in(page.data), "name": "anna", "password": PASSWORD}
    client.post("/ui/log-in", data=form)
    attacker = app.test_client()
    attacker.set_cookie("promobridge", before.value, path="/ui")
    assert attacker.get("/ui/profile").status_code == 303
    # Nor is the token against forgery of before good in it.
    assert client.post("/ui/log-out", data={"csrf_token": form["csrf_token"]}).status_code == 400


def test_a_forged_cookie_is_nobody(app: Flask, anna: Any) -> None:
    person = Person(app, ADMIN)
    value = person.client.get_cookie("promobridge", path="/ui").value
    signed, _, signature = value.rpartition(".")
    # Not its last character: some of that one's bits are padding, which no reader looks at.
    other = signed + "." + ("A" if signature[0] != "A" else "B") + signature[1:]
    for forged in (other, "x", value.split(".")[0]):
        client = app.test_client()
        client.set_cookie("promobridge", forged, path="/ui")
        assert client.get("/ui/profile").status_code == 303


def test_every_view_asks_for_its_role(app: Flask) -> None:
    stranger = app.test_client()
    people = {role: Person(app, role) for role in (VIEWER, OPERATOR)}
    seen = set()
    for method, path, role, _ in endpoints(app):
        send = "post" if method == "POST" else "get"
        if role is None:
            assert path.split("/")[2] in ("log-in", "invite", "oidc"), path
            continue
        response = getattr(stranger, send)(path)
        assert (response.status_code, response.location.split("?")[0]) == (303, "/ui/log-in"), path
        for name, person in people.items():
            if (VIEWER, OPERATOR, ADMIN).index(name) < (VIEWER, OPERATOR, ADMIN).index(role):
                assert getattr(person.client, send)(path).status_code == 403, (name, path)
                seen.add((name, role))
    assert {(VIEWER, ADMIN), (OPERATOR, ADMIN)} <= seen


def test_every_change_asks_for_a_token(app: Flask) -> None:
    person = Person(app, ADMIN)
    refused = 0
    for method, path, _, _ in endpoints(app):
        if method == "POST":
            for data in ({}, {"csrf_token": "forged"}):
                response = person.client.post(path, data=data)
                assert response.status_code in (400, 401, 404), path
                refused += 1
    assert refused
    assert PageSession.select().count() == 1, "a session was ended without a token"


def test_no_address_changes_anything_by_being_looked_at(app: Flask) -> None:
    person = Person(app, ADMIN)
    users.add("otto", VIEWER)
    before = database.execute_sql("SELECT name, role, enabled, password FROM page_user").fetchall()
    for _, path, _, _ in endpoints(app):
        person.get(path)
    after = database.execute_sql("SELECT name, role, enabled, password FROM page_user").fetchall()
    assert list(before) == list(after)


def test_what_is_sensitive_asks_for_the_password_again(
    app: Flask, anna: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person(app, ADMIN, "anna")
    later = clock.now() + sessions.FRESH_SECONDS
    monkeypatch.setattr(clock, "now", lambda: later)
    form = {"name": "otto", "role": VIEWER}
    response = person.post("/ui/users", form)
    assert (response.status_code, response.location) == (303, "/ui/log-in/again")
    assert [user.name for user in users.listed()] == ["anna"]
    again = "/ui/log-in/again"
    assert person.post(again, {"password": "wrong password"}).status_code == 401
    assert person.post(again, {"password": PASSWORD}).status_code == 303
    assert person.post("/ui/users", form).status_code == 200
    assert [user.name for user in users.listed()] == ["anna", "otto"]


def test_an_invitation_is_good_once(app: Flask) -> None:
    token = invites.make(users.add("otto", VIEWER))
    link = f"/ui/invite/{token}"
    client = app.test_client()
    page = client.get(link)
    assert page.status_code == client.get(link).status_code == 200
    assert page.headers["Referrer-Policy"] == "no-referrer"
    form = {"csrf_token": token_in(page.data), "password": PASSWORD, "repeated": "another"}
    assert client.post(link, data=form).status_code == 400
    short = form | {"password": "short", "repeated": "short"}
    assert client.post(link, data=short).status_code == 400
    assert client.post(link, data=form | {"repeated": PASSWORD}).status_code == 303
    assert b"otto" in client.get("/ui/profile").data
    assert app.test_client().get(link).status_code == 404
    _, response = logged_in(app, "otto")
    assert response.status_code == 303


@pytest.mark.parametrize("change", ["older", "disabled", "late"])
def test_an_invitation_ends(app: Flask, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    otto = users.add("otto", VIEWER)
    link = f"/ui/invite/{invites.make(otto)}"
    if change == "older":
        invites.make(otto)
    elif change == "disabled":
        users.enable(otto.id, False)
    else:
        later = clock.now() + invites.SECONDS
        monkeypatch.setattr(clock, "now", lambda: later)
    assert app.test_client().get(link).status_code == 404


def test_the_last_admin_stays(app: Flask) -> None:
    person = Person(app, ADMIN)
    me = users.by_name(person.name)
    for change, data in (("disable", {}), ("role", {"role": VIEWER})):
        response = person.post(f"/ui/users/{me.id}/{change}", data, at="/ui/users")
        assert response.status_code == 409
    assert users.by_id(me.id).role == ADMIN


def test_users_are_changed_by_pages(app: Flask) -> None:
    person = Person(app, ADMIN)
    page = person.post("/ui/users", {"name": "<script>", "role": VIEWER})
    assert b"&lt;script&gt;" in page.data
    assert b"<script>" not in page.data.replace(b"<script defer", b"")
    otto = users.by_name("<script>")
    link = re.search(r"/ui/invite/(\w+)", page.text)
    assert link is not None
    assert invites.by_token(link[1])[1] == otto
    assert person.post("/ui/users", {"name": "<SCRIPT>", "role": VIEWER}).status_code == 400
    at = "/ui/users"
    person.post(f"/ui/users/{otto.id}/role", {"role": OPERATOR}, at=at)
    assert users.by_id(otto.id).role == OPERATOR
    person.post(f"/ui/users/{otto.id}/disable", at=at)
    assert not users.by_id(otto.id).enabled
    person.post(f"/ui/users/{otto.id}/enable", at=at)
    assert b"/ui/invite/" in person.post(f"/ui/users/{otto.id}/reset", at=at).data


def test_a_person_changes_the_own_password(app: Flask, anna: Any) -> None:
    person, other = Person(app, ADMIN, "anna"), Person(app, ADMIN, "anna")
    new = {"password": "another long one", "repeated": "another long one"}
    assert person.post("/ui/profile/password", new, at="/ui/profile").status_code == 303
    assert person.get("/ui/profile").status_code == 200
    assert other.get("/ui/profile").status_code == 303
    third = Person(app, ADMIN, "anna")
    person.post("/ui/profile/end-others", at="/ui/profile")
    assert third.get("/ui/profile").status_code == 303
    assert person.get("/ui/profile").status_code == 200
