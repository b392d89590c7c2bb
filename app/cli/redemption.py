"""promobridge redemption: list, show and release uses of codes, of both APIs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import click
from marshmallow import ValidationError

from app.cli import coupon_search
from app.cli.batch_changes import zone_of_settings
from app.cli.csv_output import as_csv, pieces_of, put_csv, refuse_without_csv
from app.cli.lines import put_line
from app.cli.output import ID, as_json, fields_of, printed, put_json, put_table, store, warn
from calls import php
from models.campaigns import campaign_codes, campaigns
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.redemptions import redemption_search, releases
from models.redemptions.redemption import RELEASED, USED, Redemption
from models.store import clock, visibility
from models.store.base import snapshot
from models.store.errors import NotFound

COLUMNS = (
    *("id", "uuid", "redeemed_at", "state", "code", "batch_id", "client_id", "user_id"),
    *("invoice_id", "order_id", "account_id", "amount", "setup_amount", "discount"),
    *("setup_discount", "points", "api_id", "released_at"),
)
LIST_COLUMNS = (
    *("id", "redeemed_at", "state", "code", "client_id", "user_id", "invoice_id", "order_id"),
    *("discount", "points"),
)
SHOWN = (*COLUMNS, "coupon_id", "batch_name", "environment", "campaign", "partner")
SLICE = 1_000


@click.group(name="redemption")
def command() -> None:
    """List, show and release uses of codes, of both APIs."""


def _day(context: click.Context, param: click.Parameter, value: str) -> date | None:
    try:
        day: date | None = php.Day().deserialize(value)
    except ValidationError as problem:
        raise click.BadParameter(str(problem.messages[0])) from None
    return day


@command.command(
    name="list",
    epilog="\b\nExamples:\n"
    "  promobridge redemption list --code XO-UKFXB9618V7Q\n"
    "  promobridge redemption list --client 7 --date-from 2030-12-01\n"
    "  promobridge redemption list --campaign summer-promo --user user-9\n"
    "  promobridge redemption list --batch 7 --csv --output uses.csv\n"
    "  promobridge redemption list --limit 100 --before 4711\n"
    "\b\nExit status: 0 listed, 1 refused, 2 wrong usage.",
)
@click.option(
    "--code", help="Only the uses of this code; one that was deleted is spelled as it was."
)
@click.option("--batch", "batch_id", type=ID, metavar="ID", help="Only those of this batch.")
@click.option("--client", "client_id", type=ID, metavar="ID", help="Only those by this client.")
@click.option("--user", "user_id", help="Only those by this user of the REST API.")
@click.option("--invoice", "invoice_id", type=ID, metavar="ID", help="Only those on this invoice.")
@click.option("--order", "order_id", type=ID, metavar="ID", help="Only those on this order.")
@click.option("--campaign", metavar="SLUG", help="Only those of codes of this campaign.")
@click.option("--test", is_flag=True, help="The campaign in the TEST environment, not LIVE.")
@click.option("--partner", default="", help="The partner whose campaign it is.")
@click.option("--state", type=click.Choice((USED, RELEASED)), help="Only those that stand, or not.")
@click.option(
    "--date-from",
    callback=_day,
    default="",
    metavar="YYYY-MM-DD",
    help="Only those of this day of the installation and later.",
)
@click.option(
    "--date-to", callback=_day, default="", metavar="YYYY-MM-DD", help="And none after this day."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many."
)
@click.option("--before", type=ID, metavar="ID", help="Only those older than this one: go on here.")
@as_csv
@as_json
@click.pass_context
def list_(
    context: click.Context,
    limit: int,
    before: int | None,
    as_csv: bool,
    as_json: bool,
    output: str | None,
    no_clobber: bool,
    **options: Any,
) -> None:
    """List uses of codes, newest first, released ones too.

    Each has an id of its own, the first column: `redemption show` and `release` take it. --csv
    writes all that there are.
    """
    paged = context.get_parameter_source("limit") is click.core.ParameterSource.COMMANDLINE
    refuse_without_csv(as_csv, as_json, output, paged or before is not None)
    with store(), snapshot():
        found = redemption_search.slices(
            _wanted(**options), SLICE if as_csv else limit, before or redemption_search.ABOVE_ALL
        )
        if as_csv:
            put_csv(pieces_of(COLUMNS, map(_rows, found)), output, no_clobber, "Redemptions")
            return
        rows = _rows(next(found))
    if as_json:
        put_json(rows)
        return
    _put_rows(rows)
    if len(rows) == limit:
        put_line(f"There may be older ones: --before {rows[-1]['id']}", err=True)


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge redemption show 4711\n"
    "  promobridge redemption show 0f8fad5b-d9cb-469f-a165-70867728950e --json\n"
    "\b\nExit status: 0 shown, 1 there is none, 2 wrong usage."
)
@click.argument("redemption", metavar="ID")
@printed()
def show(redemption: str) -> dict[str, Any]:
    """Show a use of a code: what it took off, who used it when, and whether it stands.

    ID is that of `redemption list`, or the redemptionId of the REST API.
    """
    with snapshot():
        return _shown(redemption_search.known(redemption))


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge redemption release 4711\n"
    "  promobridge redemption release 0f8fad5b-d9cb-469f-a165-70867728950e --json\n"
    "\b\nExit status: 0 released, be it before; 1 refused; 2 wrong usage."
)
@click.argument("redemption", metavar="ID")
@printed()
def release(redemption: str) -> dict[str, Any]:
    """Undo a use of a code: the code gets it back, once, and the history is kept.

    It is what releasePromoCode does, and for a use of the REST API its rollback: the user's points
    are taken back too, and a second time is refused. ID is as in `redemption show`.
    """
    found = redemption_search.known(redemption)
    today = clock.today(zone_of_settings())
    if found.campaign_id and found.uuid:
        campaign = Campaign.get_by_id(found.campaign_id)
        done = campaign_codes.roll_back(campaign.owner, campaign.slug, found.uuid, today)
        return _shown(done.redemption)
    released, now = releases.release(found.id, today)
    if not now:
        warn("The redemption was released before")
    return _shown(released)


def _wanted(
    code: str | None,
    campaign: str | None,
    test: bool,
    partner: str,
    date_from: date | None,
    date_to: date | None,
    **columns: Any,
) -> list[Any]:
    """Return what the options ask for. Raises UsageError, and NotFound for the campaign."""
    if campaign is None and (test or partner):
        raise click.UsageError("--test and --partner go with --campaign")
    if date_from and date_to and date_to < date_from:
        raise click.UsageError("--date-to is before --date-from")
    zone = zone_of_settings()
    owner = Owner(visibility.TEST if test else visibility.LIVE, partner)
    return redemption_search.conditions(
        code=code or None,
        coupon_ids=_coupons(code) if code else (),
        campaign=None if campaign is None else campaigns.by_slug(owner, campaign),
        since=clock.midnight(date_from, zone) if date_from else None,
        before=(
            clock.midnight(date_to + timedelta(days=1), zone)
            if date_to and date_to < date.max
            else None
        ),
        **columns,
    )


def _coupons(code: str) -> list[int]:
    """Return the ids of the coupons that a code stands for, whatever they were called before."""
    try:
        return [each.coupon.id for each in coupon_search.search(code, False, None)]
    except NotFound:
        return []


def _rows(redemptions: Iterable[Redemption]) -> list[dict[str, Any]]:
    return [_row(each, COLUMNS) for each in redemptions]


def _row(redemption: Redemption, columns: Iterable[str], **more: Any) -> dict[str, Any]:
    row = fields_of(redemption, columns, **more)
    numbers = ("batch_id", "client_id", "user_id", "invoice_id", "order_id", "account_id", "points")
    return row | {name: row[name] or None for name in numbers}


def _shown(redemption: Redemption) -> dict[str, Any]:
    batch = Batch.get_or_none(Batch.id == redemption.batch_id)
    joined = CampaignBatch.get_or_none(CampaignBatch.batch_id == redemption.batch_id)
    return _row(
        redemption,
        SHOWN,
        batch_name=batch and batch.name,
        environment=visibility.environment_name(visibility.environment(redemption.realm)),
        campaign=joined and joined.campaign.slug,
        partner=joined and joined.campaign.partner,
    )


def _put_rows(rows: list[dict[str, Any]]) -> None:
    if not rows:
        put_line("There is no redemption here.")
        return
    put_table(
        ("id", "used at", "state", "code", "client", "user", "invoice", "order", "off", "points"),
        ([row[column] for column in LIST_COLUMNS] for row in rows),
    )
