"""Find the code that an operator means, be it of the legacy API or of the REST API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import click

from app.cli import terms_options
from app.cli.output import ID, warn
from calls.wire import editing
from models.campaigns import code_list
from models.campaigns.campaign_codes import CampaignCode
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.store import visibility
from models.store.errors import Conflict, NotFound


class Found(NamedTuple):
    """Hold a coupon; `of_campaign` is the same as the REST API sees it, None if it does not."""

    coupon: Coupon
    of_campaign: CampaignCode | None

    @property
    def is_legacy(self) -> bool:
        """Tell whether the legacy API sees it."""
        return self.coupon.realm == visibility.LEGACY

    @property
    def place(self) -> str:
        """Return where it is, in words."""
        if self.is_legacy or self.of_campaign is None:
            return "the legacy API"
        campaign = self.of_campaign.batch.campaign
        partner = f" of the partner {campaign.partner}" if campaign.partner else ""
        name = visibility.environment_name(campaign.environment)
        return f"the campaign {campaign.slug}{partner} in {name}"


def narrowing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say in whose data a code of the REST API is looked for."""
    test = click.option("--test", is_flag=True, help="Only the TEST environment of the REST API.")
    partner = click.option("--partner", help="Only what this partner has in the REST API.")
    return test(partner(function))


def code_or_id(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an argument CODE and an option --id, for `legacy`."""
    code = click.argument("code", default="")
    by_id = click.option(
        "--id", "coupon_id", type=ID, metavar="ID", help="The coupon with this id, for a CODE."
    )
    return code(by_id(function))


def search(code: str, test: bool, partner: str | None) -> list[Found]:
    """Return where a code is: live ones first, then the legacy API, then LIVE before TEST.

    Raises NotFound when it is nowhere.
    """
    found: dict[int, Found] = {}
    # Bytes of the command line that are not UTF-8 are in no store.
    with suppress(NotFound, UnicodeEncodeError):
        found = {each.coupon.id: Found(each.coupon, each) for each in code_list.everywhere(code)}
        coupon = coupons.by_code(code)
        found = {coupon.id: Found(coupon, None)} | found
    wanted = [
        each
        for each in found.values()
        if _is_of(each, partner) and (not test or each.coupon.realm == visibility.CAMPAIGN_TEST)
    ]
    if not wanted:
        raise NotFound(coupons.NO_SUCH_CODE, "code_not_found")
    return sorted(wanted, key=lambda each: (each.coupon.live is None, each.coupon.realm))


def first(code: str, test: bool, partner: str | None, of_campaigns: bool = False) -> Found:
    """Return the first place of a code, or of those in campaigns; warn of the others.

    Raises NotFound.
    """
    places = search(code, test, partner)
    if of_campaigns:
        places = [each for each in places if each.of_campaign is not None]
    if not places:
        raise NotFound(
            "The code is in the legacy API alone: promobridge coupon show", "code_not_found"
        )
    found, *others = places
    for other in others:
        warn(f"The code is in {other.place}, too: --test and --partner choose")
    return found


def only(code: str, test: bool, partner: str | None) -> Found:
    """Return the one place of a code. Raises NotFound, and Conflict when there are several."""
    found = search(code, test, partner)
    if len(found) > 1:
        places = " and in ".join(each.place for each in found)
        raise Conflict(f"The code is in {places}: --test or --partner chooses")
    return found[0]


def legacy(coupon_id: int | None, code: str) -> Coupon:
    """Return a coupon that the legacy API sees, by its id or its code.

    Raises UsageError without either, NotFound, and Conflict for a code of the REST API alone.
    """
    if coupon_id is None and not code:
        raise click.UsageError("Give a CODE or --id.")
    try:
        with terms_options.wrong_usage():
            return editing.coupon_named(coupon_id, code)
    except UnicodeEncodeError:
        raise NotFound(coupons.NO_SUCH_CODE, "code_not_found") from None
    except NotFound:
        if coupon_id is not None:
            raise
        found, *_ = search(code, False, None)
        if found.is_legacy:  # typed otherwise, as the REST API allows
            return found.coupon
        raise Conflict(f"The code is in {found.place} alone: it can be revoked") from None


def _is_of(found: Found, partner: str | None) -> bool:
    if partner is None:
        return True
    code = found.of_campaign
    return code is not None and code.batch.campaign.partner == partner
