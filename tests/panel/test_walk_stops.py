"""`promobridge panel walk` where the panel does wrong, rows move, or it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.panel.walk import NEEDED
from models.panel.walks import PanelAnswer, PanelWalk
from models.promotions.coupons import Coupon
from models.store import clock
from tests.panel.php_panel import PhpPanel
from tests.panel.seeds import SINGLE_CODES
from tests.panel.walking import Walker
from tests.saved import stored
from tests.waiting import wait_until

NO_ROWS = [[], [], []]
GOES_ON = "the same command goes on where this stopped"


def asked(panel: PhpPanel, call: str) -> int:
    return len(panel.journal(call))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("html", {}, "The panel answers listPromoCodes with something that is no JSON"),
        ("status", {"status": 502}, "(HTTP status 502)"),
        ("short", {"rows": 3}, "The panel's listPromoCodes, page 1, is short: 22 of 25 rows."),
        ("fail", {"error": "Out of\nmemory"}, "The panel refuses listPromoCodes: Out of?memory."),
        ("redirect", {}, "The panel sends callers elsewhere"),
        ("cut", {"bytes": 20}, "The panel broke off"),
    ],
)
def test_a_page_of_no_use_stops_it_and_it_goes_on_there(
    walking: Walker, panel: PhpPanel, kind: str, options: dict[str, object], said: str
) -> None:
    with panel.fault(kind, "listPromoCodes", asked={"page": 1}, **options):
        sentence = walking.stopped()
    assert said in sentence
    assert GOES_ON in sentence
    assert stored() == NO_ROWS
    before = asked(panel, "listPromoBatches"), asked(panel, "listPromoCodes")
    assert walking.walk()["coupons"]["new"]
    assert asked(panel, "listPromoBatches") == before[0]
    first = [each for each in panel.journal("listPromoCodes") if each.arguments["page"] == "0"]
    assert len(first) == 2  # one of either way of listing
    assert len(PanelAnswer.select()) == 0


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"batches": [], "sorter": []},
        {"batches": None, "sorter": {"perpage": 5, "totalpages": 1, "sorterrecords": "0"}},
        {"batches": ["x"], "sorter": {"perpage": 5, "totalpages": 1, "sorterrecords": "1"}},
        {"batches": [], "sorter": {"perpage": 5, "totalpages": 1, "sorterrecords": "many"}},
        {"batches": [], "sorter": {"perpage": 0, "totalpages": 1, "sorterrecords": "0"}},
        {"batches": [], "sorter": {"perpage": -5, "totalpages": 1, "sorterrecords": "10"}},
    ],
)
def test_an_answer_that_is_no_list_stops_it(walking: Walker, pages: dict[str, object]) -> None:
    answer = json.dumps({"success": True, "methods": [*NEEDED], **pages}).encode()

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is the library's
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        walking.environment["PROMOBRIDGE_PANEL_URL"] = f"http://127.0.0.1:{server.server_port}/"
        try:
            sentence = walking.stopped()
        finally:
            server.shutdown()
            thread.join()
    assert sentence.startswith("The panel's listPromoBatches, page 0, has no list of batches with ")
    assert stored() == NO_ROWS


def test_a_wrong_pair_is_told_so(walking: Walker, panel: PhpPanel) -> None:
    Path(walking.environment["PROMOBRIDGE_PANEL_CREDENTIALS_FILE"]).write_text("wrong\npair\n")
    sentence = walking.stopped()
    assert sentence.startswith("The panel refuses getAPIMethods: ")
    assert "PROMOBRIDGE_PANEL_CREDENTIALS_FILE is right and may call it" in sentence
    assert stored() == NO_ROWS
    assert [each.call for each in panel.journal()] == ["getHostBillversion", "getAPIMethods"]


def test_a_pair_that_may_not_read_promotions_is_told_what_to_do(
    walking: Walker, panel: PhpPanel
) -> None:
    pair = panel.access(calls=["getAPIMethods", "getHostBillversion", "listPromoBatches"])
    file = Path(walking.environment["PROMOBRIDGE_PANEL_CREDENTIALS_FILE"])
    file.write_text("\n".join(pair))
    assert walking.stopped() == (
        "The pair in PROMOBRIDGE_PANEL_CREDENTIALS_FILE may not call listPromoCodes, "
        "getPromoDetailsByCode: enable that for it at the panel, then walk again"
    )
    assert stored() == NO_ROWS
    file.chmod(0o644)
    assert "chmod 600" in walking.stopped()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PANEL_URL", "", "PROMOBRIDGE_PANEL_URL must name the panel"),
        ("PANEL_CREDENTIALS_FILE", "", "must name a file with an id and a key"),
        ("PANEL_CA", "", "The panel's certificate does not hold"),
    ],
)
def test_settings_of_no_use_are_one_sentence(
    walking: Walker, setting: str, value: str, said: str
) -> None:
    walking.environment[f"PROMOBRIDGE_{setting}"] = value
    assert said in walking.stopped()
    assert stored() == NO_ROWS


def test_wrong_usage_has_a_status_of_its_own(walking: Walker) -> None:
    assert walking.run("walk", "--rate", "0").exit_code == 2


def test_codes_that_were_deleted_meanwhile_do_not_stop_it(walking: Walker, panel: PhpPanel) -> None:
    """The list is read again, and the code is in neither."""
    gone = panel.rows("coupon", "code = 'SINGLE030'")[0]["id"]
    with panel.fault("fail", "getPromoDetailsByCode", asked={"code": "SINGLE030"}, times=1):
        panel.execute(
            "CREATE TRIGGER gone AFTER UPDATE ON fault BEGIN"
            " DELETE FROM coupon WHERE code = 'SINGLE030'; END"
        )
        report = walking.walk()
    assert gone not in [row["id"] for row in report["rows"]["half_known"]]
    assert not Coupon.select().where(Coupon.id == gone).exists()
    assert {row.id for row in Coupon.select()} == {row["id"] for row in panel.rows("coupon")}


def test_details_that_are_refused_one_after_another_stop_it(
    walking: Walker, panel: PhpPanel
) -> None:
    with panel.fault("fail", "getPromoDetailsByCode", error="This access is disabled"):
        assert walking.stopped().startswith(
            "The panel refuses getPromoDetailsByCode: This access is disabled. "
        )
    assert asked(panel, "getPromoDetailsByCode") == 3
    assert stored() == NO_ROWS
    assert walking.walk()["coupons"]["half_known"] == 1


@pytest.mark.parametrize("call", ["listPromoCodes", "listPromoBatches"])
def test_rows_that_move_are_read_again(walking: Walker, panel: PhpPanel, call: str) -> None:
    """What was added and removed between two pages is missed by neither."""
    with panel.fault("mutate", call, asked={"page": 1}, times=2, add=1, remove=0):
        walking.walk()
    assert {row.id for row in Coupon.select()} == {row["id"] for row in panel.rows("coupon")}
    panel.mend()
    with panel.fault("mutate", call, asked={"page": 1}, times=1, add=1, remove=2):
        report = walking.walk()
    assert {row.id for row in Coupon.select()} == (
        {row["id"] for row in panel.rows("coupon")}
        | {row["id"] for row in report["rows"]["vanished"] if row["kind"] == "code"}
        | {
            row.id
            for row in Coupon.select().where(
                Coupon.batch_id.in_(
                    [row["id"] for row in report["rows"]["vanished"] if row["kind"] == "batch"]
                )
            )
        }
    )


def test_rows_that_never_rest_stop_it(walking: Walker, panel: PhpPanel) -> None:
    with panel.fault("mutate", "listPromoCodes", add=1, remove=0):
        assert "moved in each of 5 readings: walk again at a quieter hour" in walking.stopped()
    assert stored() == NO_ROWS
    assert walking.walk()["coupons"]["refused"] == 0


def test_a_code_that_changed_after_its_details_came_is_asked_again(
    walking: Walker, panel: PhpPanel
) -> None:
    number = panel.rows("coupon", "code = 'SINGLE057'")[0]["id"]
    panel.execute(
        "CREATE TRIGGER edited AFTER UPDATE ON fault BEGIN"
        " UPDATE coupon SET value = 77, max_usage = 7 WHERE code = 'SINGLE057'; END"
    )
    first = {"code": "SINGLE000"}
    with panel.fault("delay", "getPromoDetailsByCode", times=1, asked=first, seconds=0):
        walking.walk()
    terms = Coupon.get_by_id(number).terms
    assert (terms.value, terms.max_usage) == (77, 7)
    codes = [each.arguments["code"] for each in panel.journal("getPromoDetailsByCode")]
    assert codes.count("SINGLE057") == 2
    assert len(codes) == SINGLE_CODES + 1


def test_a_walk_that_was_killed_goes_on(walking: Walker, panel: PhpPanel) -> None:
    command = [sys.executable, "-m", "app.cli", "panel", "walk", "--rate", "1000"]
    with panel.fault("delay", "getPromoDetailsByCode", seconds=0.02):
        process = subprocess.Popen(
            command, env=os.environ | walking.environment, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: asked(panel, "getPromoDetailsByCode") > SINGLE_CODES // 2)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert stored() == NO_ROWS
    read = asked(panel, "listPromoBatches")
    assert walking.walk()["coupons"]["new"]
    assert asked(panel, "listPromoBatches") == read
    # The one that was under way when it was killed may have been asked for twice.
    assert SINGLE_CODES <= asked(panel, "getPromoDetailsByCode") <= SINGLE_CODES + 1
    assert PanelWalk.select().count() == 1


def test_what_was_read_long_ago_is_read_anew(
    walking: Walker, panel: PhpPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with panel.fault("html", "listPromoCodes", asked={"include_batch": 1}):
        walking.stopped()
    assert PanelAnswer.select().exists()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 2 * 86_400)
    walking.walk()
    assert asked(panel, "getPromoDetailsByCode") == 2 * SINGLE_CODES
    assert not PanelAnswer.select().exists()


def test_no_more_calls_a_second_than_it_was_told(walking: Walker, panel: PhpPanel) -> None:
    rate = 40
    walking.run("walk", "--rate", str(rate))
    times = [each.at for each in panel.journal()]
    assert (len(times) - 1) / (times[-1] - times[0]) <= rate * 1.05
