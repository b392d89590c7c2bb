"""The settings: one table, read from PROMOBRIDGE_* in the environment and nowhere else."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

PREFIX = "PROMOBRIDGE_"
MOST_PLACES = 4
TEXT, JSON = LOG_FORMATS = ("text", "json")
FORMER = ("keep_to_cores", "request_seconds")
"""Settings of earlier versions: they are ignored."""
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
        8_388_608, "The largest request body; a larger one is answered 413.", least=1024
    )
    proxy_count: int = _setting(
        0, "How many reverse proxies to trust for X-Forwarded-For; 0 ignores the header."
    )
    hostbill_version: str = _setting("2026.1", "What getHostBillversion answers.")
    timezone: str = _setting("UTC", "The time zone of dates and times in answers.")
    amount_places: int = _setting(2, "The decimals of amounts of the currency: 0 to 4.")
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
    game_url: str = _setting(
        "https://app.gamifyhost.com", "Where campaigns are played: gameUrl is /campaign/SLUG there."
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
    fragment_cache_bytes: int = _setting(
        67_108_864, "Rendered batches that each worker process keeps; 0 keeps nothing of lists."
    )
    metrics_from: str = _setting(
        "127.0.0.0/8 ::1", "Addresses and networks that may read /metrics; empty for nobody."
    )
    log_format: str = _setting("text", "text for people, json for one JSON object a line.")
    access_log: int = _setting(1, "1 logs a line for each request, 0 none.")


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raises BadSetting for a value that cannot be used."""
    given: dict[str, Any] = {}
    for setting in fields(Settings):
        text = environ.get(variable(setting.name))
        if text is not None:
            given[setting.name] = _parsed(setting, text)
    for name in FORMER:
        if variable(name) in environ:
            _warn_of_former(variable(name))
    settings = Settings(**given)
    _check(settings)
    return settings


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


@cache
def _warn_of_former(name: str) -> None:
    """Warn once a process: the settings are read again after each reload."""
    log.warning("%s is not a setting any more and is ignored", name)


def _parsed(setting: Any, text: str) -> str | int:
    if setting.type != "int":
        return text
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < setting.metadata["least"]:
        raise BadSetting(
            f"{variable(setting.name)} must be a whole number, {setting.metadata['least']} or more"
        )
    return int(text)


def _check(settings: Settings) -> None:
    try:
        zoneinfo.ZoneInfo(settings.timezone)
    except (KeyError, ValueError, OSError) as problem:
        raise BadSetting(
            f"{variable('timezone')} must be a time zone such as Europe/Warsaw"
        ) from problem
    if settings.amount_places > MOST_PLACES:
        raise BadSetting(f"{variable('amount_places')} must be {MOST_PLACES} at most")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", settings.admin_path):
        raise BadSetting(f"{variable('admin_path')} must be a path such as /admin")
    if settings.log_format not in LOG_FORMATS:
        raise BadSetting(f"{variable('log_format')} must be {' or '.join(LOG_FORMATS)}")
    for rule in settings.metrics_from.split():
        try:
            ipaddress.ip_network(rule, strict=False)
        except ValueError as problem:
            raise BadSetting(
                f"{variable('metrics_from')} must be addresses and networks, blanks between them"
            ) from problem
    for kind in ("batches", "codes"):
        if getattr(settings, f"{kind}_per_page") > getattr(settings, f"{kind}_per_page_max"):
            raise BadSetting(
                f"{variable(kind + '_per_page')} must not be more than "
                f"{variable(kind + '_per_page_max')}"
            )
