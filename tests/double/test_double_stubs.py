"""Answers of calls that are not ours: from a collection, a recording, JSON, and the control."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.double import stub_files
from app.panel.recording import SUFFIX
from tests import node
from tests.double.collection_of import collection, written
from tests.double.conftest import Started, started

CLIENTS = {"success": True, "clients": [{"id": "1"}], "call": "x", "server_time": 5}
MORE: list[dict[str, Any]] = [
    {"name": "Nothing to see", "request": {"method": "GET", "url": "x"}},
    {"name": "getBroken", "response": [{"body": "<b>no JSON"}]},
    {"name": "getEmpty", "response": [{"body": ""}]},
    {"name": "getEmpty", "response": []},
    {"name": "getList", "response": [{"body": "[1]"}]},
    {"name": "ADDPROMOCODE", "response": [{"body": '{"sample": 1}'}]},
]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a collection of 300 calls and some odd items, a recording, and JSON."""
    folder = tmp_path_factory.mktemp("stubs")
    recorded = folder / "recorded"
    recorded.mkdir()
    for number, (call, arguments, answer) in enumerate(
        [
            ("getInvoices", {"list": "paid"}, {"success": True, "invoices": ["paid"]}),
            ("getInvoices", {"list": "all", "x": ["1"]}, {"success": True, "invoices": ["all"]}),
            ("getThing001", {"id": "recorded"}, {"success": True, "thing": "recorded"}),
        ]
    ):
        kept = {"call": call, "arguments": arguments, "answer": answer}
        (recorded / f"{number}{SUFFIX}").write_text(json.dumps(kept))
    answers = {"getClients": CLIENTS, "addClient": {}, "getInvoiceDetails": {"invoice": INVOICE}}
    (folder / "answers.json").write_text(json.dumps(answers))
    return [written(folder / "panel.json", 300, *MORE), recorded, folder / "answers.json"]


INVOICE = {"id": "44", "client_id": "7", "items": [{"item_id": "7"}]}
CUSTOM = {"coupon": "custom", "type": "percent", "value": "15"}


DEEP: dict[str, Any] = json.loads('{"a":' * 70 + "{}" + "}" * 70)


class TestFiles:
    def test_the_asked_call_and_the_time_of_now(self, double: Started) -> None:
        answer = double.call("getClients")
        assert list(answer) == ["success", "clients", "call", "server_time"]
        assert answer["clients"] == [{"id": "1"}]
        assert (answer["call"], answer["server_time"] > 1_700_000_000) == ("getClients", True)

    def test_names_are_compared_as_a_panel_does(self, double: Started) -> None:
        assert double.call("GETCLIENTS")["call"] == "GETCLIENTS"
        assert double.call("GETCLIENTS")["clients"] == [{"id": "1"}]

    def test_an_argument_that_is_needed(self, double: Started) -> None:
        assert double.call("getThing007", id="7")["thing"] == {"id": "7"}
        assert double.call("getThing007")["error"] == ["Wrong parameter: id"]
        assert double.call("getThing007", id="")["error"] == ["Wrong parameter: id"]

    def test_recordings_go_before_samples(self, double: Started) -> None:
        assert double.call("getThing001", id="recorded")["thing"] == "recorded"
        assert double.call("getThing001", id="1")["thing"] == {"id": "1"}
        assert double.call("getInvoices", **{"list": "all", "x[]": "1"})["invoices"] == ["all"]
        assert double.call("getInvoices", list="other")["invoices"] == ["paid"]

    def test_an_empty_sample_is_a_success_and_a_broken_one_is_sent(self, double: Started) -> None:
        assert [*double.call("getEmpty")] == ["success", "call", "server_time"]
        assert double.call("addClient")["success"] is True
        assert double.called("getBroken").body == b"<b>no JSON"
        assert double.called("getList").body == b"[1]"
        said = (double.folder / "said").read_text()
        assert "the answer of getBroken is no JSON; it is sent as it is" in said
        assert "the answer of getList is no JSON object; it is sent as it is" in said
        assert "item 301 names no call and is left out" in said
        assert "the call getEmpty stands there twice; the first one is taken" in said

    def test_calls_of_ours_are_ours(self, double: Started) -> None:
        assert double.call("listPromoBatches")["batches"][0]["name"] == "XOXO"
        for name in ("addPromoCode", "ADDPROMOCODE"):  # the collection has it
            assert "sample" not in double.call(name)

    def test_a_list_of_calls_has_them_too(self, double: Started) -> None:
        methods = double.call("getAPIMethods")["methods"]
        assert {"getThing299", "getInvoices", "getClients", "addPromoCode"} <= {*methods}
        assert len(methods) == len({name.lower() for name in methods})
        assert double.call("getapimethods")["methods"] == methods

    def test_who_may_not_gets_no_stub(self, double: Started) -> None:
        assert double.call("getClients", api_key="wrong")["error"]
        assert "clients" not in double.call("getClients", api_key="wrong")

    def test_what_has_no_stub_says_so(self, double: Started, tmp_path: Path) -> None:
        answer = double.called("getNothing")
        assert (answer.status, answer.json["error"]) == (200, ["no stub for getNothing"])
        with started(tmp_path, "--empty", "--strict") as strict:
            answer = strict.called("getNothing")
            assert (answer.status, answer.json["error"]) == (501, ["no stub for getNothing"])


class TestSetAtRunTime:
    def test_answers_come_one_after_another(self, double: Started) -> None:
        answers = [{"n": 1}, {"n": 2}]
        double.control("PUT", "stubs", {"call": "getClients", "answers": answers})
        assert [double.call("getClients")["n"] for _ in range(3)] == [1, 2, 2]
        double.control("DELETE", "stubs?call=getClients")
        assert "clients" in double.call("getClients")

    def test_arguments_choose(self, double: Started) -> None:
        match = {"id": 7, "more": {"a": "b"}}
        given = {"call": "getClients", "match": match, "answers": [{"mine": True}]}
        double.control("PUT", "stubs", given)
        assert double.call("getClients", **{"id": "7", "more[a]": "b", "page": "0"})["mine"]
        assert "clients" in double.call("getClients", id="8")

    def test_a_call_of_ours_can_be_answered_otherwise(self, double: Started) -> None:
        given = {"call": "validatePromoCode", "match": {"code": "ODD"}, "answers": [{"odd": 1}]}
        double.control("PUT", "stubs", given)
        assert double.call("validatePromoCode", code="ODD")["odd"] == 1
        assert "odd" not in double.call("validatePromoCode", code="XO-UKFXB9618V7Q")
        double.control("DELETE", "stubs")
        assert "odd" not in double.call("validatePromoCode", code="ODD")

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"call": "x"}, "answers: Missing data"),
            ({"call": "x", "answers": []}, "answers: Length must be between 1"),
            ({"call": "x", "answers": [1]}, "answers"),
            ({"call": "", "answers": [{}]}, "call: Length must be between 1"),
            ({"call": "x", "answers": [{}], "when": {}}, "when: Unknown field."),
            ({"call": "x", "answers": [{"n": float("nan")}]}, "must be a JSON object"),
            ({"call": "x", "answers": [{}], "match": DEEP}, "and not go too deep"),
        ],
    )
    def test_what_is_no_stub_gets_a_sentence(
        self, double: Started, body: dict[str, Any], said: str
    ) -> None:
        assert said in double.control("PUT", "stubs", body, status=400)["error"]


class TestMemory:
    def test_a_discount_of_an_account_is_shown(self, double: Started) -> None:
        assert double.call("getAccountDetails", id="7").get("details") is None
        double.call("accountSetDiscount", id="7", **CUSTOM)
        assert double.call("getAccountDetails", id="7")["details"] == {"discount": CUSTOM}
        assert "details" not in double.call("getAccountDetails", id="8")
        invoice = double.call("getInvoiceDetails", id="44")["invoice"]
        assert invoice == INVOICE | {"items": [{"item_id": "7", "discount": CUSTOM}]}
        double.control("POST", "reset")
        assert double.call("getInvoiceDetails", id="44")["invoice"] == INVOICE

    def test_a_discount_of_a_draft_comes_and_goes(self, double: Started) -> None:
        double.call("addOrderDraftDiscount", id="3", **CUSTOM)
        assert double.call("getOrderDraft", id="3")["draft"] == {"discount": CUSTOM}
        assert double.call("getOrderDraft", id="4")["draft"] == []
        assert double.call("removeOrderDraftDiscount", id="3")["draft"] == []
        assert double.call("getOrderDraft", id="3")["draft"] == []

    def test_a_refusal_that_was_set_leaves_no_discount(self, double: Started) -> None:
        refusal = {"success": False, "error": ["Draft is locked"]}
        double.control("PUT", "stubs", {"call": "addOrderDraftDiscount", "answers": [refusal, {}]})
        drafts = []
        for _ in range(2):
            double.call("addOrderDraftDiscount", id="3", **CUSTOM)
            drafts.append(double.call("getOrderDraft", id="3")["draft"])
        assert drafts == [[], {"discount": CUSTOM}]

    def test_what_is_kept_goes_back_with_the_store(self, double: Started) -> None:
        double.call("accountSetDiscount", id="7", coupon="before")
        kept = double.control("POST", "snapshot")
        double.call("accountSetDiscount", id="7", coupon="after")
        for _ in range(2):
            double.control("POST", "restore", kept)
            shown = double.call("getAccountDetails", id="7")["details"]["discount"]
            assert shown == {"coupon": "before"}
            double.control("POST", "reset")
            assert "details" not in double.call("getAccountDetails", id="7")

    def test_what_a_call_needs_without_a_stub(self, double: Started) -> None:
        missing = double.call("addOrderDraftDiscount")["error"]
        assert missing == ["Wrong parameter: id", "Wrong parameter: coupon"]
        assert double.call("getAffiliateVouchers")["vouchers"] == []


def test_newman_runs_300_items_of_300(double: Started, tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "app" / "reference" / "node"
    newman = node.installed(source, tmp_path / "node") / "newman" / "bin" / "newman.js"
    (tmp_path / "panel.json").write_text(json.dumps(collection(300)))
    report = tmp_path / "report.json"
    exported = ("--reporters", "json", "--reporter-json-export", report)
    url = ("--env-var", f"base_url={double.url}")
    node.node(newman, "run", tmp_path / "panel.json", *url, *exported, folder=tmp_path)
    run = json.loads(report.read_text())["run"]
    assert run["stats"]["requests"] == {"total": 300, "pending": 0, "failed": 0}
    assert run["stats"]["assertions"] == {"total": 300, "pending": 0, "failed": 0}
    assert double.control("GET", "requests?count") == {"count": 300}


def test_a_deep_collection_is_refused_in_linear_time(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"item": []}
    for _ in range(stub_files.DEPTH + 1):
        deep = {"item": [deep]}
    path = tmp_path / "deep.json"
    path.write_text(json.dumps({"info": {}, **deep}))
    with pytest.raises(stub_files.BadSetting, match="folders over 20 deep"):
        stub_files.load([path])
