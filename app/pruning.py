"""Delete what was kept long enough: the usage log, refused tries, the audit, deliveries."""

from __future__ import annotations

from models.access import call_names, refused_tries, usage
from models.store import audit, clock
from models.webhooks import deliveries

DAY_SECONDS = 86_400
DELIVERY_DAYS = 30


def prune(usage_days: int, audit_days: int) -> bool:
    """Delete a bounded number of rows past their days; tell whether none is left."""
    now = clock.now()
    before = max(0, now - usage_days * DAY_SECONDS)
    done = usage.prune(before) < usage.PRUNED
    done &= refused_tries.prune(before) < refused_tries.PRUNED
    done &= audit.prune(max(0, now - audit_days * DAY_SECONDS)) < audit.PRUNED
    done &= deliveries.prune(max(0, now - DELIVERY_DAYS * DAY_SECONDS)) < deliveries.PRUNED
    if done:
        call_names.forget_unused()
    return done
