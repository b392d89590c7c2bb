"""Read the settings from PROMOBRIDGE_* in the environment, and from nowhere else."""

from __future__ import annotations

import logging
import os
import re
import zoneinfo
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from ipaddress import ip_network
from typing import Any

PREFIX = "PROMOBRIDGE_"
JSON = "json"
REMOVED = ("keep_to_cores", "request_seconds")
"""Settings of earlier versions: they are ignored."""
OF_TESTS = f"{PREFIX}TEST_"
"""What these variables begin with is for the tests alone."""
CHECKS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "timezone": (zoneinfo.ZoneInfo, "a time zone such as Europe/Warsaw"),
    "amount_places": (range(5).__contains__, "4 at most"),
    "admin_path": (re.compile(r"(/[A-Za-z0-9._~-]+)*").fullmatch, "a path such as /admin"),
    "unknown_facts": (("count", "refuse").__contains__, "count or refuse"),
    "log_format": (("text", JSON).__contains__, "text or json"),
    **dict.fromkeys(
        ("metrics_from", "ui_from"),
        (
            lambda text: [ip_network(rule, strict=False) for rule in text.split()],
            "addresses and networks, blanks between them",
        ),
    ),
}
"""What a value must be, and a test that returns None or False or raises for any other."""
AT_MOST = {
    "batches_per_page": "batches_per_page_max",
    "codes_per_page": "codes_per_page_max",
    "kept_reply_bytes": "kept_replies_bytes_of_caller",
}
"""Settings that must not be more than another one."""
log = logging.getLogger(__name__)


class BadSetting(ValueError):
    """Say which setting cannot be used, and why."""


def _setting(default: Any, sentence: str, least: int = 0) -> Any:
    return field(default=default, metadata={"sentence": sentence, "least": least})


@dataclass(frozen=True)
class Settings:
    """Hold the settings of one process; in the environment they are PROMOBRIDGE_ + upper case."""

    database_url: str = _setting(
        "sqlite:///promobridge.db",
        "The store: sqlite:///FILE (three slashes: relative path), postgresql://… or mysql://….",
    )
    database_timeout_seconds: int = _setting(
        30, "How long a writer waits for another one before the store counts as away.", least=1
    )
    admin_path: str = _setting(
        "/admin", "The folder of api.php in URLs; /api.php alone is served too."
    )
    body_limit_bytes: int = _setting(
        1_048_576, "The largest request body; a larger one is answered 413.", least=1024
    )
    threads: int = _setting(
        4, "Threads of each worker process; at most half of them wait for a panel.", least=1
    )
    proxy_count: int = _setting(
        0, "How many reverse proxies to trust for X-Forwarded-For; 0 ignores the header."
    )
    hostbill_version: str = _setting("2026.1", "What getHostBillversion answers.")
    timezone: str = _setting("UTC", "The time zone of dates and times in answers.")
    amount_places: int = _setting(2, "The decimals of amounts of the currency: 0 to 4.")
    unknown_facts: str = _setting(
        "count", "What applyInvoiceCoupon does with facts that it cannot be told: count or refuse."
    )
    batches_per_page: int = _setting(100, "Batches on a page when perpage is not given.", least=1)
    batches_per_page_max: int = _setting(100, "The largest perpage of batches.", least=1)
    codes_per_page: int = _setting(25, "Codes on a page when perpage is not given.", least=1)
    codes_per_page_max: int = _setting(1000, "The largest perpage of codes.", least=1)
    usage_log_days: int = _setting(90, "How long the API usage log is kept.", least=1)
    usage_log_seconds: int = _setting(
        5, "How long a call waits in memory before it is written to the usage log.", least=1
    )
    usage_log_rows: int = _setting(
        10_000, "Calls that may wait in each process; what is over is dropped and counted.", least=1
    )
    usage_log_stranger_rows: int = _setting(
        1000,
        "Rows a minute that a process writes of calls without a right key; the rest is one row.",
    )
    refused_tries_per_day: int = _setting(
        10_000, "Refused tries of codes that are kept of a day; what is over is counted."
    )
    audit_days: int = _setting(400, "How long the audit of changes is kept.", least=1)
    game_url: str = _setting(
        "https://app.gamifyhost.com", "Where campaigns are played: gameUrl is /campaign/SLUG there."
    )
    panel_url: str = _setting(
        "", "The panel to stand in front of: https://HOST/admin/api.php; empty for none."
    )
    panel_plain_http: int = _setting(
        0, "1 lets the panel's URL be http:// on another machine too: keys then travel unprotected."
    )
    panel_ca: str = _setting(
        "", "A file of the certificates that vouch for the panel; empty for those of the system."
    )
    panel_credentials_file: str = _setting(
        "", "A file of a pair of our own at the panel, id and key on two lines, for its owner only."
    )
    panel_connect_seconds: int = _setting(
        5, "How long a connection to the panel may take, for each of its addresses.", least=1
    )
    panel_silence_seconds: int = _setting(
        60, "How long the panel may send nothing while it answers.", least=1
    )
    panel_seconds: int = _setting(
        600, "How long a call to the panel may take as a whole, until its last byte.", least=1
    )
    panel_body_limit_bytes: int = _setting(
        134_217_728, "The largest request body that is passed to the panel.", least=1024
    )
    panel_answer_limit_bytes: int = _setting(
        1_073_741_824, "The largest answer of the panel that is passed on.", least=1_048_576
    )
    panel_equal_answers: int = _setting(
        100,
        "How many answers in a row must be the panel's before a read is answered here.",
        least=1,
    )
    calls_of_access_per_minute: int = _setting(
        0, "Calls in a minute that one access or secret may make; 0 is no limit."
    )
    calls_of_address_per_minute: int = _setting(
        0, "Calls in a minute that one address may make; 0 is no limit."
    )
    wrong_credentials_per_minute: int = _setting(
        30, "Wrong pairs or secrets in a minute that lock an address out; 0 never does."
    )
    wrong_codes_per_minute: int = _setting(
        60, "Unknown codes in a minute that lock one user or client out; 0 never does."
    )
    wrong_codes_of_caller_per_minute: int = _setting(
        6000, "The same of all who ask through one access or secret from one address."
    )
    lockout_seconds: int = _setting(300, "How long a lockout lasts.", least=1)
    limits_url: str = _setting(
        "memory://", "Where these are counted: in each process, or redis://HOST:6379/0 for many."
    )
    job_workers: int = _setting(
        1, "Workers that `serve` starts; 0 when `promobridge worker` runs by itself."
    )
    open_jobs_of_partner: int = _setting(
        10, "Jobs that the secrets of one partner may have waiting or running.", least=1
    )
    open_job_codes_of_partner: int = _setting(
        10_000_000, "Codes that these may still have to make.", least=5_000_000
    )
    kept_reply_bytes: int = _setting(
        2_097_152, "The largest answer that is kept under an idempotency key.", least=1_310_720
    )
    kept_replies_bytes_of_caller: int = _setting(
        268_435_456, "What an access, or a partner's secrets, may have kept of them in a day."
    )
    fragment_cache_bytes: int = _setting(
        67_108_864, "Rendered batches that each worker process keeps; 0 keeps nothing of lists."
    )
    metrics_from: str = _setting(
        "127.0.0.0/8 ::1", "Addresses and networks that may read /metrics; empty for nobody."
    )
    ui_from: str = _setting(
        "0.0.0.0/0 ::/0",  # networks; a log-in is asked for
        "Addresses and networks that may see the pages under /ui; empty for nobody.",
    )
    oidc_issuer: str = _setting(
        "", "The log-in service of the pages (OpenID Connect), as its tokens name it; empty: none."
    )
    oidc_client_id: str = _setting("", "What this service is called there.")
    oidc_client_secret_file: str = _setting("", "A file of the secret that it has there.")
    oidc_name_claim: str = _setting("preferred_username", "The claim that is a user's name.")
    oidc_role_claim: str = _setting("groups", "The claim, a text or a list, that says the role.")
    oidc_roles: str = _setting(
        "", "Which of its values mean which role: viewer=staff operator=marketing admin=ops."
    )
    ui_key_file: str = _setting(
        "",
        "A file of the key that signs the pages' cookies; empty: beside the SQLite database, "
        "or where the service runs.",
    )
    webhook_senders: int = _setting(
        1, "Processes that send webhooks, started by `serve`; 0 when they run by themselves."
    )
    webhook_key_file: str = _setting(
        "",
        "A file of the key that webhooks' secrets are sealed with; empty: beside the SQLite "
        "database, or where the service runs.",
    )
    log_format: str = _setting("text", "text for people, json for one JSON object a line.")
    access_log: int = _setting(1, "1 logs a line for each request, 0 none.")


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raises BadSetting for a value that cannot be used."""
    for name in environ:
        if name.startswith(PREFIX) and not name.startswith(OF_TESTS):
            _warn_of_unknown(name)
    given: dict[str, Any] = {
        setting.name: _checked(setting, environ[variable(setting.name)])
        for setting in fields(Settings)
        if variable(setting.name) in environ
    }
    settings = Settings(**given)
    for name, most in AT_MOST.items():
        if getattr(settings, name) > getattr(settings, most):
            raise BadSetting(f"{variable(name)} must not be more than {variable(most)}")
    return settings


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


@cache
def _warn_of_unknown(name: str) -> None:
    """Warn once a process of what is no setting: they are read again after each reload."""
    known = {variable(setting.name).removeprefix(PREFIX) for setting in fields(Settings)}
    own = name.removeprefix(PREFIX)
    if own in known:
        return
    if name in map(variable, REMOVED):
        log.warning("%s is not a setting any more and is ignored", name)
        return
    nearest = get_close_matches(own, known, 1)
    hint = f"; did you mean {PREFIX}{nearest[0]}?" if nearest else ""
    log.warning("%s is not a setting and is ignored%s", name, hint)


def _checked(setting: Any, text: str) -> str | int:
    """Return the value of a setting. Raises BadSetting."""
    name, least = variable(setting.name), setting.metadata["least"]
    value: str | int = text
    if setting.type == "int":
        if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
            raise BadSetting(f"{name} must be a whole number, {least} or more")
        value = int(text)
    fits, wanted = CHECKS.get(setting.name, (str, ""))
    with suppress(ValueError, KeyError, OSError):
        if fits(value) not in (None, False):
            return value
    raise BadSetting(f"{name} must be {wanted}")
