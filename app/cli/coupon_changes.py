"""promobridge coupon edit, revoke, reactivate and delete."""

from __future__ import annotations

from typing import Any

import click
from marshmallow import ValidationError

from app.cli import coupon_search, terms_options
from app.cli.batch_changes import zone_of_settings
from app.cli.coupon_rows import described, of_coupon
from app.cli.coupon_search import Found, legacy, only
from app.cli.output import as_meant, ask, printed
from calls.wire import editing, schemas
from calls.wire.texts import NewCode
from models.campaigns import revocations
from models.promotions import coupon_life, coupons
from models.store import clock

OPTIONS = editing.TermsChange.described()
EXIT_STATUS = "\b\nExit status: 0 changed, 1 refused, 2 wrong usage."


def _new_code(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        code: str = NewCode(required=True).deserialize(value)
    except ValidationError as problem:
        raise click.BadParameter(str(problem.messages[0])) from None
    return code


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge coupon edit XO-UKFXB9618V7Q --value 15 --expires 2030-12-31\n"
    "  promobridge coupon edit --id 65 --status Archived\n"
    "  promobridge coupon edit XO-UKFXB9618V7Q --inactive\n"
    "  promobridge coupon edit XO-UKFXB9618V7Q --code SPRING-1\n" + EXIT_STATUS
)
@coupon_search.code_or_id
@terms_options.declared(OPTIONS, {})
@click.option(
    "--code", "new_code", callback=_new_code, metavar="TEXT", help="What the code is from now on."
)
@click.option(
    "--status",
    type=click.Choice((schemas.ACTIVE, schemas.ARCHIVED)),
    help="Archived codes cannot be used.",
)
@click.option("--active/--inactive", default=None, help="Whether a code that lives can be used.")
@click.option(
    "--terms-known",
    is_flag=True,
    help="Say that what is stored is all, of a code that is known from a list alone.",
)
@printed()
@click.pass_context
def edit(
    context: click.Context,
    code: str,
    coupon_id: int | None,
    new_code: str | None,
    status: str | None,
    active: bool | None,
    terms_known: bool,
    **options: Any,
) -> dict[str, Any]:
    """Change one code, be it in a batch or alone; what is not given stays.

    LIST stands for values with commas between them.
    """
    typed = terms_options.typed(context, OPTIONS)
    nothing = new_code is None and status is None and active is None and not terms_known
    if not typed and nothing:
        raise click.UsageError("Say what to change.")
    coupon = legacy(coupon_id, code)
    given = terms_options.changes(editing.TermsChange, coupon.terms, typed)
    with terms_options.wrong_usage():
        changed = coupon_life.edit(
            coupon.id,
            clock.today(zone_of_settings()),
            code=new_code,
            terms=_revising(given, terms_known),
            live=None if status is None else status == schemas.ACTIVE,
            active=active,
        )
    return of_coupon(changed)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge coupon revoke XO-UKFXB9618V7Q\n"
    "  promobridge coupon revoke SUMM-7K3QX9AZ --partner shop\n" + EXIT_STATUS
)
@click.argument("code")
@coupon_search.narrowing
@printed()
def revoke(code: str, test: bool, partner: str | None) -> dict[str, Any]:
    """Withdraw a code of either API: it cannot be used until it is reactivated.

    It is archived alone, so that it stays so when its batch is made active again. A code of the
    REST API that was used cannot be revoked.
    """
    return _set_live(only(code, test, partner), code, live=False)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge coupon reactivate XO-UKFXB9618V7Q\n"
    "  promobridge coupon reactivate SUMM-7K3QX9AZ --test\n" + EXIT_STATUS
)
@click.argument("code")
@coupon_search.narrowing
@printed()
def reactivate(code: str, test: bool, partner: str | None) -> dict[str, Any]:
    """Let a code of either API be used again that was revoked, archived or made inactive."""
    return _set_live(only(code, test, partner), code, live=True)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge coupon delete XO-UKFXB9618V7Q\n"
    "  promobridge coupon delete --id 65 --yes\n"
    "\b\nExit status: 0 deleted; 1 refused, or the answer was no; 2 wrong usage."
)
@coupon_search.code_or_id
@as_meant
@printed()
def delete(code: str, coupon_id: int | None, yes: bool) -> dict[str, Any]:
    """Delete a code, for good; the log of redemptions keeps its uses."""
    coupon = legacy(coupon_id, code)
    ask(f"Delete the code {coupon.code}, which was used {coupon.num_usage:,} times?", yes)
    coupon = coupon_life.delete(coupon.id)
    return {"id": coupon.id, "code": coupon.code, "deleted": True}


def _revising(given: dict[str, Any], terms_known: bool) -> coupon_life.Revise | None:
    revise = editing.revising(given)
    if not terms_known:
        return revise
    return lambda held: coupon_life.with_known_terms(revise(held) if revise else held)


def _set_live(found: Found, code: str, live: bool) -> dict[str, Any]:
    if not found.is_legacy and found.of_campaign is not None:
        change = revocations.reactivate if live else revocations.revoke
        changed = change(found.of_campaign.batch.campaign.owner, code)
        return described(Found(changed.coupon, changed))
    today = clock.today(zone_of_settings())
    coupon_life.edit(found.coupon.id, today, live=live, active=True if live else None)
    return of_coupon(coupons.by_id(found.coupon.id))
