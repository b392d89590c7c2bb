"""Log in at a provider of OpenID Connect: Authlib speaks to it, a claim says the role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, request, session, url_for

from app.config import BadSetting, Settings
from app.ui import store
from app.ui.roles import log_in, open_to_all, page_after
from models.people import users
from models.people.users import ROLES
from models.store.errors import Conflict, Invalid

SECONDS = 10
"""How long the provider may take for one answer."""
NEXT = "oidc_next"
AWAY = "The log-in service cannot be reached. Try again in a moment."
blueprint = Blueprint("oidc", __name__, url_prefix="/oidc")


@blueprint.get("")
@open_to_all
def start() -> Any:
    """Send the person to the provider; who is asked for a password again must log in anew there."""
    client = _client()
    from requests import RequestException

    session[NEXT] = page_after(request.args.get("next", ""))
    again = {"prompt": "login"} if "again" in request.args else {}
    try:
        return client.authorize_redirect(url_for("oidc.back", _external=True), **again)
    except RequestException:
        return _refused(AWAY)


@blueprint.get("/back")
@open_to_all
def back() -> Any:
    """Take whom the provider vouches for; state, nonce and signature are checked by Authlib."""
    client = _client()
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    limits, address = current_app.config["LIMITS"], request.remote_addr or ""
    limits.may_guess(address, "")
    try:
        claims = client.authorize_access_token().get("userinfo") or {}
    except RequestException:
        return _refused(AWAY)
    except (AuthlibBaseError, JoseError):
        limits.wrong_credentials(address)
        return _refused("The provider did not let you in. Try again.")
    settings = store.settings()
    role = role_of(claims, settings)
    name = str(claims.get(settings.oidc_name_claim, ""))
    if role is None:
        return _refused("You have no role here: ask whoever runs the log-in service.")
    try:
        user = users.known_elsewhere(f"{claims['iss']} {claims['sub']}", name, role)
    except (Conflict, Invalid) as problem:
        return _refused(f"{problem.sentence}.")
    following = session.get(NEXT, "")
    log_in(user)
    users.note_seen(user)
    return redirect(page_after(following), 303)


def role_of(claims: dict[str, Any], settings: Settings) -> str | None:
    """Return the highest role that a claim gives, None for none."""
    said = claims.get(settings.oidc_role_claim)
    values = {str(each) for each in (said if isinstance(said, list) else [said])}
    mine = [role for role, value in roles(settings.oidc_roles).items() if value in values]
    return max(mine, key=ROLES.index, default=None)


def roles(text: str) -> dict[str, str]:
    """Return the value of the claim for each role that is named: viewer=staff admin=ops.

    Raises BadSetting.
    """
    pairs = dict(word.partition("=")[::2] for word in text.split())
    if not all(pairs.values()) or not pairs.keys() <= {*ROLES}:
        raise BadSetting("PROMOBRIDGE_OIDC_ROLES is like viewer=staff operator=marketing admin=ops")
    return pairs


def _client() -> Any:
    """Return Authlib's client of the provider, made once; 404 where there is none."""
    found = current_app.extensions.get("promobridge.oidc")
    if found is None:
        settings = store.settings()
        if not settings.oidc_issuer:
            abort(404)
        found = current_app.extensions["promobridge.oidc"] = _made(settings)
    return found


def _made(settings: Settings) -> Any:
    try:
        from authlib.integrations.flask_client import OAuth
    except ImportError:
        raise BadSetting("Authlib is missing: pip install 'promobridge[oidc]'") from None
    secret = Path(settings.oidc_client_secret_file).read_text().strip()
    well_known = f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
    return OAuth(current_app).register(
        name="oidc",
        server_metadata_url=well_known,
        client_id=settings.oidc_client_id,
        client_secret=secret,
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "default_timeout": SECONDS,
        },
    )


def _refused(sentence: str) -> Any:
    flash(sentence, "error")
    return redirect(url_for("log_in.asked"), 303)
