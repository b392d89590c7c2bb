"""releasePromoCode."""

from calls import Answer, Caller, Params, call
from calls.wire import ids, use_arguments
from models.redemptions import releases


class Arguments(Params):
    """Name the redemption."""

    id = ids.Id(required=True, description="The redemption.")


@call("releasePromoCode", params=Arguments, writes=True, extension=True)
def release_promo_code(caller: Caller, id: int) -> Answer:
    """Undo a redemption: the code gets its use back, once."""
    redemption, now = releases.release(id, caller.today)
    info = "has been released" if now else "was released before"
    return Answer(
        {"redemption": use_arguments.shown(caller, redemption)}, info=(f"The redemption {info}",)
    )
