"""Which addresses a webhook may be sent to: public ones, and those that the operator allows."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given to hosts. Loopback, link-local, site-local and unique local addresses,
multicast, and IPv4 that is mapped, compatible or behind a NAT64 of one's own lie outside."""
NAT64 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches public IPv4 addresses, each in the last 32 bits."""
NOT_HOSTS = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocols; Python 3.11 calls most of it global
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # protocols, Teredo among them, which wraps IPv4
            "2002::/16",  # 6to4, which wraps IPv4
            "3fff::/20",  # documentation; unknown to Python 3.11
        ),
    )
)
"""Networks without receivers that Python's `is_global` does not know as such, in some versions."""


def is_inside(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether one of the networks has an address."""
    return any(address in network for network in networks)


def refused(address: Address, allowed: Iterable[Network]) -> bool:
    """Tell whether nothing may be sent to an address: it is neither public nor in `allowed`.

    An IPv6 address with an IPv4 address in it is refused, whatever that one is; only one of NAT64
    is as public as the address in it. `allowed` is about the address itself alone.
    """
    return not is_inside(address, allowed) and not _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in NAT64:
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
        elif address not in UNICAST:
            return False
    return address.is_global and not address.is_multicast and not is_inside(address, NOT_HOSTS)
