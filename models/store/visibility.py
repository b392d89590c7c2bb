"""Realms: which API sees a batch or code, and where a code must be unique.

The legacy API sees LEGACY alone and lives in the LIVE environment; a campaign of either
environment sees its own. A legacy batch that joins a campaign is seen by both.
"""

LIVE, TEST = 1, 2
"""The environments, as they stand in `live`."""
LEGACY, CAMPAIGN_LIVE, CAMPAIGN_TEST = 0, 1, 2


def environment(realm: int) -> int:
    """Return the environment that a realm belongs to."""
    return TEST if realm == CAMPAIGN_TEST else LIVE


def of_environment(environment: int) -> tuple[int, ...]:
    """Return the realms of an environment."""
    return (CAMPAIGN_TEST,) if environment == TEST else (LEGACY, CAMPAIGN_LIVE)


def campaign_realm(environment: int) -> int:
    """Return the realm of an environment's codes that the legacy API does not see."""
    return CAMPAIGN_TEST if environment == TEST else CAMPAIGN_LIVE


def environment_name(environment: int) -> str:
    """Return LIVE or TEST."""
    return "TEST" if environment == TEST else "LIVE"
