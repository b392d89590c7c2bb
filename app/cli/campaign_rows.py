"""promobridge campaign codes and code: the codes of a campaign, and who used one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import click

from app.cli import coupon_search
from app.cli.coupon_rows import USES, described, put_coupon
from app.cli.csv_output import as_csv, pieces_of, put_csv, refuse_without_csv
from app.cli.lines import put_line
from app.cli.output import as_json, fields_of, printed, put_json, put_table, store, time_text
from models.campaigns import campaigns, code_list
from models.campaigns.campaign_codes import STATUSES
from models.campaigns.code_list import ListedCode
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.store import visibility
from models.store.base import snapshot

COLUMNS = (
    *("code", "batch", "status", "points", "expires_at", "redeemed_by", "redeemed_at"),
    "redemption",
)
SLICE = 1_000


def _cursor(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(code_list.CURSOR, value):
        raise click.BadParameter("must be one that this command has told")
    return value


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge campaign codes summer-promo --status redeemed\n"
    "  promobridge campaign codes summer-promo --limit 100 --cursor 3.4711\n"
    "  promobridge campaign codes summer-promo --csv --output summer.csv\n"
    "\b\nExit status: 0 listed, 1 refused, 2 wrong usage."
)
@click.argument("slug", metavar="SLUG")
@click.option(
    "--status",
    type=click.Choice(STATUSES, case_sensitive=False),
    help="Only the codes that stand so.",
)
@click.option("--batch", metavar="UUID", help="Only the codes of this batch of the campaign.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many."
)
@click.option("--cursor", callback=_cursor, help="Go on where a page has ended, which names it.")
@click.option("--test", is_flag=True, help="The campaign in the TEST environment, not LIVE.")
@click.option("--partner", default="", help="The partner whose campaign it is.")
@as_csv
@as_json
@click.pass_context
def codes(
    context: click.Context,
    slug: str,
    status: str | None,
    batch: str | None,
    limit: int,
    cursor: str | None,
    test: bool,
    partner: str,
    as_csv: bool,
    as_json: bool,
    output: str | None,
    no_clobber: bool,
) -> None:
    """List the codes of a campaign with who used them, those of the newest batch first.

    Codes are masked, as the REST API lists them: they are shown once, when they are made. `campaign
    code` takes one whole. --csv writes all that there are.
    """
    paged = context.get_parameter_source("limit") is click.core.ParameterSource.COMMANDLINE
    refuse_without_csv(as_csv, as_json, output, paged or cursor is not None)
    with store(), snapshot():
        owner = Owner(visibility.TEST if test else visibility.LIVE, partner)
        campaign = campaigns.by_slug(owner, slug)
        of = campaigns.batch_by_uuid(batch, campaign) if batch is not None else None
        if as_csv:
            slices = map(_rows, _slices(campaign, status, of))
            put_csv(pieces_of(COLUMNS, slices), output, no_clobber, f"Campaign {slug}")
            return
        listed, following = code_list.page(campaign, cursor, limit, status, of)
        while following is not None and len(listed) < limit:  # one of a rare status ends early
            more, following = code_list.page(campaign, following, limit - len(listed), status, of)
            listed += more
        rows = _rows(listed)
    if as_json:
        put_json({"codes": rows, "next_cursor": following, "limit": limit})
        return
    _put_rows(rows)
    if following is not None:
        put_line(f"There may be more: --cursor {following}", err=True)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge campaign code SUMM-7K3QX9AZ\n"
    "  promobridge campaign code summ7k3qx9az --test --json\n"
    "\b\nExit status: 0 shown, 1 there is none, 2 wrong usage."
)
@click.argument("code")
@coupon_search.narrowing
@printed(text=put_coupon)
def code(code: str, test: bool, partner: str | None) -> dict[str, Any]:
    """Show a code of the REST API: its campaign and points, how it stands, and who used it."""
    with snapshot():
        return described(coupon_search.first(code, test, partner, of_campaigns=True), uses=USES)


def _slices(
    campaign: Campaign, status: str | None, batch: CampaignBatch | None
) -> Iterator[list[ListedCode]]:
    """Yield the codes of a campaign page by page, in constant memory."""
    found, cursor = code_list.page(campaign, None, SLICE, status, batch)
    yield found
    while cursor is not None:
        found, cursor = code_list.page(campaign, cursor, SLICE, status, batch)
        yield found


def _rows(codes: Iterable[ListedCode]) -> list[dict[str, Any]]:
    return [
        fields_of(
            code,
            COLUMNS,
            code=code.masked,
            batch=code.batch.uuid,
            points=code.batch.points,
            expires_at=time_text(code.batch.expires_at),
            redeemed_by=code.user_id,
            redeemed_at=time_text(code.redemption.redeemed_at) if code.redemption else None,
            redemption=code.redemption and code.redemption.id,
        )
        for code in codes
    ]


def _put_rows(rows: list[dict[str, Any]]) -> None:
    if not rows:
        put_line("There is no code here.")
        return
    columns = ("code", "status", "points", "expires_at", "redeemed_by", "redeemed_at")
    put_table(
        ("code", "status", "points", "expires", "used by", "used at"),
        ([row[column] for column in columns] for row in rows),
    )
