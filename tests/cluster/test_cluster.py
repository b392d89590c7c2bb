"""Three nodes and two hosts, briefly; `python -m tests.cluster` is the long way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.promotions import coupons
from models.promotions.terms import Terms
from models.store import counters
from tests.cluster import endurance, nodes
from tests.cluster.endurance import FREEZE, KILL
from tests.cluster.nodes import Cluster
from tests.concurrency.clients import Client, at_once, batch_of

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(nodes.missing()), reason=f"a cluster needs {nodes.missing()}"),
]
SECONDS = 45
CODES = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with nodes.cluster() as made:
        yield made


def test_what_one_host_answered_the_next_one_knows(cluster: Cluster, tmp_path: Path) -> None:
    with endurance.bound(cluster), endurance.two_hosts(cluster, tmp_path) as servers:
        one, other = (Client(server.address) for server in servers)
        for number in range(CODES):
            code = f"THERE-{number}"
            offer = {"coupon_type": "cart", "type": "percent", "value": number}
            assert one.call("addPromoCode", code=code, **offer)["success"]
            assert other.call("redeemPromoCode", code=code)["success"]
            used = one.call("getPromoDetailsByCode", code=code)["coupon"]["num_usage"]
            assert used == "1"
            one, other = other, one
        for client in (one, other):
            client.connection.close()


def test_limits_hold_between_nodes(cluster: Cluster, tmp_path: Path) -> None:
    with endurance.bound(cluster), endurance.two_hosts(cluster, tmp_path) as servers:
        _, (ten,) = batch_of(1, max_usage=10)
        _, (once,) = batch_of(1, max_client_usage=1)

        def redeem(client: Client, number: int) -> tuple[bool, ...]:
            mine = client if number % 2 else Client(servers[1].address)
            wins = (
                mine.call("redeemPromoCode", code=ten),
                mine.call("redeemPromoCode", code=once, client_id=7),
                mine.call("redeemPromoCode", code=ten, client_id=1, idempotency_key="one"),
            )
            mine.connection.close()
            return tuple(each["success"] for each in wins)

        results = at_once(servers[0].address, 24, redeem)
        keyed = {last for *_, last in results}
        assert len(keyed) == 1, "the same key was answered in two ways"
        assert sum(first for first, *_ in results) + keyed.pop() == coupons.by_code(ten).num_usage
        assert coupons.by_code(ten).num_usage == 10
        assert sum(second for _, second, _ in results) == coupons.by_code(once).num_usage == 1


def test_ids_that_one_node_was_given_are_not_made_by_another(cluster: Cluster) -> None:
    for node in range(nodes.NODES):
        with endurance.bound(cluster, node):
            coupons.add(f"FIRST-{node}", Terms.of())
            given = coupons.by_code(f"FIRST-{node}").id + 50
            coupons.Coupon.update(id=given).where(coupons.Coupon.code == f"FIRST-{node}").execute()
            before = counters.count(counters.COUPONS)
        with endurance.bound(cluster, (node + 1) % nodes.NODES):
            for number in range(60):
                assert coupons.add(f"NEXT-{node}-{number}", Terms.of()).id != given
            assert counters.count(counters.COUPONS) == before + 60


def test_nodes_are_killed_frozen_and_emptied_and_nothing_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    report = endurance.run(cluster, tmp_path, SECONDS, [KILL, FREEZE])
    account = report.account
    assert report.passed, report
    assert report.conflicts, "no two nodes wanted the same row"
    assert account.answered > SECONDS * 5
    assert account.recorded - (account.answered - account.found) in range(account.unknown + 1)
    assert account.longest_wait < nodes.JOIN_SECONDS
    assert all("which 0 were answered" not in event for event in report.events)
