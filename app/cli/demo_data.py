"""What a demo has besides the sample batch: codes with terms, uses of them, and refused tries.

None of it is in a batch of the legacy API, so that its list of batches is the documented one.
"""

from __future__ import annotations

import multiprocessing
from zoneinfo import ZoneInfo

from app import create_app
from app.config import Settings
from models.access.accesses import Pair
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Owner
from models.store import clock
from models.store.base import database

CODE = "FIRSTORDER"
"""New clients alone may use it, so that client 7 is refused."""
FIRST_ORDER = {
    "coupon_type": "cart",
    "type": "percent",
    "value": "20",
    "clients": "new",
    "products[]": "5",
    "max_usage": "10",
    "expires": "2030-12-31",
}
TWICE = {"coupon_type": "cart", "type": "fixed", "value": "5", "max_usage": "2"}
HOSTING = {"products[]": "5", "cycle": "Monthly", "amount": "19.99"}
CALLS: tuple[tuple[str, dict[str, str]], ...] = (
    ("addPromoCode", {"code": CODE, **FIRST_ORDER}),
    ("addPromoCode", {"code": "FIVE-OFF-TWICE", **TWICE}),
    *(
        ("redeemPromoCode", {"code": CODE, "clients": "new", "order_id": order, **HOSTING})
        for order in ("501", "502", "503")
    ),
    *(
        ("redeemPromoCode", {"code": "FIVE-OFF-TWICE", "client_id": client, **HOSTING})
        for client in ("8", "9")
    ),
    # Refused: not a new client, used up, and for another category.
    ("redeemPromoCode", {"code": CODE, "client_id": "7", "order_id": "504", **HOSTING}),
    ("redeemPromoCode", {"code": "FIVE-OFF-TWICE", "client_id": "7", **HOSTING}),
    ("validatePromoCode", {"code": "XO-UKFXB9618V7Q", "client_id": "7", "categories[]": "41"}),
)
CAMPAIGN = "summer-promo"
CAMPAIGN_CODES, PLAYERS = 40, 9


def fill(settings: Settings, pair: Pair) -> None:
    """Store it in a process of its own: the server's is to load nothing before it forks workers."""
    filling = multiprocessing.get_context("fork").Process(target=_fill, args=(settings, pair))
    filling.start()
    filling.join()


def _fill(settings: Settings, pair: Pair) -> None:
    """Make the calls with the credentials of the demo, as integrations would."""
    app = create_app(settings, has_rest=False)
    client = app.test_client()
    credentials = {"api_id": pair.api_id, "api_key": pair.api_key}
    try:
        for name, arguments in CALLS:
            client.post("/api.php", data=credentials | {"call": name} | arguments)
        with database.connection_context():
            add_campaign(settings, Owner())
    finally:
        app.config["USAGE_LOG"].close()  # its thread uses the store
        database.close_all()


def add_campaign(settings: Settings, owner: Owner) -> None:
    """Make a campaign of an owner with some codes, a few of them redeemed."""
    today = clock.today(ZoneInfo(settings.timezone))
    campaign = campaigns.add(owner, CAMPAIGN, "Summer promo")
    _, codes = campaign_making.generate(campaign, CAMPAIGN_CODES, Plan(500, "Cards in the shop"))
    for number, code in enumerate(codes[:PLAYERS], 1001):
        campaign_codes.redeem(owner, CAMPAIGN, f"user-{number}", code, today)
