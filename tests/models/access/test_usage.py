"""The table of the API usage log: what is written, listed and deleted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.access import accesses, call_names, usage
from models.access.call_names import CallName
from models.access.usage import PRUNED, ROWS, ApiUsage, Entry
from models.checks import recount
from models.store import counters
from models.store.base import database
from tests.credentials import PAIR

NOON = 1_700_000_000

pytestmark = pytest.mark.usefixtures("store")


def entry(at: int = NOON, **fields: Any) -> Entry:
    """Return the entry of a call that went well."""
    usual = Entry(at, "listPromoCodes", "", PAIR.api_id, True, "192.0.2.7")
    return usual._replace(**fields)


def times(**filters: Any) -> list[int]:
    return [row[1] - NOON for row in usage.newest(0, 100, **filters)]


def test_calls_are_written_down() -> None:
    usage.write([entry(), entry(NOON + 1, message="code_expired", address="2001:db8::1")])
    newest, oldest = usage.newest(0, 10)
    assert oldest[1:3] == (NOON, "listPromoCodes")
    assert (bool(oldest[3]), *oldest[4:7]) == (True, "", PAIR.api_id, "192.0.2.7")
    assert (bool(newest[3]), *newest[4:7]) == (False, "code_expired", PAIR.api_id, "2001:db8::1")


def test_who_answered_is_written_down() -> None:
    usage.write([entry(), entry(NOON + 1, route="forward")])
    assert [row[7] for row in usage.newest(0, 10)] == ["forward", "local"]


class TestNames:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(call_names, "MOST", 3)

    def test_so_many_names_are_told_apart(self) -> None:
        assert call_names.admitted({"getA", "getB"}) == {"getA", "getB"}
        assert call_names.admitted({"getC", "getD", "getA"}) == {"getA", "getC"}
        assert call_names.admitted({"getD"}) == set()
        assert call_names.admitted(set()) == set()
        assert CallName.select().count() == 3

    def test_names_are_told_apart_by_their_case(self) -> None:
        assert call_names.admitted({"getA", "geta"}) == {"getA", "geta"}

    def test_processes_at_once_fill_no_more_places_than_there_are(self) -> None:
        at_once = threading.Barrier(6)

        def admit(number: int) -> set[str]:
            at_once.wait()
            with database.connection_context():
                return call_names.admitted({f"get{number}", f"list{number}", "shared"})

        with ThreadPoolExecutor(6) as pool:
            found = [*pool.map(admit, range(6))]
        assert CallName.select().count() == 3
        assert set().union(*found) <= {name for (name,) in CallName.select(CallName.name).tuples()}

    def test_a_name_that_left_the_log_leaves_its_place(self) -> None:
        call_names.admitted({"getA", "getB", "getC"})
        usage.write([entry(call="getB")])
        assert call_names.forget_unused() == 2
        assert call_names.admitted({"getD", "getB"}) == {"getD", "getB"}
        assert call_names.forget_unused() == 1
        assert call_names.forget_unused() == 0


def test_the_list_is_in_order_of_time_however_it_was_written() -> None:
    usage.write([entry(NOON + 3), entry(NOON + 1)])
    usage.write([entry(NOON + 2), entry(NOON)])
    assert times() == [3, 2, 1, 0]
    assert [row[1] - NOON for page in range(3) for row in usage.newest(page, 3)] == [3, 2, 1, 0]


def test_filters_and_their_totals() -> None:
    usage.write(
        [
            entry(NOON, api_id="first"),
            entry(NOON + 1, api_id="other"),
            entry(NOON + 2, api_id="first", call="addPromoCode"),
        ]
    )
    assert times(api_id="first") == [2, 0]
    assert times(call="listPromoCodes") == [1, 0]
    assert times(api_id="first", call="listPromoCodes") == [0]
    assert times(api_id="nobody") == []
    totals = usage.total(), usage.total("first"), usage.total(None, "addPromoCode")
    assert totals == (3, 2, 1)


@pytest.mark.parametrize("text", ["unknown-id", PAIR.api_key, "", "a b", "x\0y", "\udc80" * 5])
def test_an_id_that_does_not_exist_is_left_out(text: str) -> None:
    accesses.add("tests", PAIR)
    usage.write(usage.identified([entry(api_id=text, proven=False)]))
    assert usage.newest(0, 1)[0][5] == ""


def test_an_id_that_exists_is_kept_though_the_key_was_wrong() -> None:
    accesses.add("tests", PAIR)
    calls = [entry(proven=False), entry(api_id=PAIR.api_id.upper(), proven=False)]
    usage.write(usage.identified(calls))
    assert [row[5] for row in usage.newest(0, 2)] == ["", PAIR.api_id]


def test_an_id_that_was_proven_is_kept_though_the_access_is_gone() -> None:
    usage.write([entry()])
    assert usage.newest(0, 1)[0][5] == PAIR.api_id


@pytest.mark.parametrize("text", ["<script>", "x" * 65, "1\n2", "\0", "\udc80", "é", ""])
def test_an_address_that_cannot_be_one_is_left_out(text: str) -> None:
    usage.write([entry(address=text)])
    assert usage.newest(0, 1)[0][6] == ""


def test_a_network_is_an_address() -> None:
    usage.write([entry(address="2001:db8:0:1::/64")])
    assert usage.newest(0, 1)[0][6] == "2001:db8:0:1::/64"


def test_a_long_message_is_cut() -> None:
    usage.write([entry(message="m" * 1000)])
    assert usage.newest(0, 1)[0][4] == "m" * 255


def test_many_calls_and_unknown_ids_are_written_at_once() -> None:
    count = 2 * ROWS + 3
    calls = [entry(NOON + n, api_id=f"id{n}", proven=False) for n in range(count)]
    usage.write(usage.identified(calls))
    assert (usage.total(), ApiUsage.select().count()) == (count, count)
    assert times()[0] == count - 1


def test_old_calls_are_deleted_in_bounded_pieces() -> None:
    usage.write([entry(NOON - 1)] * (PRUNED + 1) + [entry(NOON)])
    assert [usage.prune(NOON) for _ in range(3)] == [PRUNED, 1, 0]
    assert times() == [0]
    assert counters.count(usage.TALLY) == usage.total() == 1
    assert not list(recount.differences())
