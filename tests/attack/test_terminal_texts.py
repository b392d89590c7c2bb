"""Texts that act on a terminal: refused where a field is one line, shown as escapes by commands."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

import app.cli
from app.cli import main
from app.cli.lines import visible
from app.config import Settings, variable
from app.exchange import saved_answers
from models.access import accesses, secrets, usage
from models.access.accesses import Access, Pair
from models.access.secrets import Secret
from models.access.usage import Entry
from models.campaigns import campaign_codes, campaign_making, campaigns, jobs
from models.people import users
from models.people.users import PageUser
from models.promotions import coupons
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock, visibility
from models.store.audit import AuditEntry
from models.store.errors import Invalid
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Try, WebhookEvent
from models.webhooks.webhooks import Webhook
from tests import saved
from tests.credentials import CREDENTIALS
from tests.serving import environment

Run = Callable[..., Result]

ACTS = ["\x1b", "\x07", "\b", "\r", "\x7f", "\x80", "\x9b", "\u2028", "\u202e", "\u2066", "\n"]
"""One of each kind: C0, DEL, C1, ends of lines, and what turns the direction of a text."""
SENT = "\x1b[2J\x1b]8;;http://x\x1b\\L\x07\x9b31m\r\n\t\u202e\u2066\u200b\u2028\x7f\b\U000e0041"
CODE = "\x1b[2J\r\n\x9b1m\u202eC\x07"
OWN_CODE = "OWN-1"
BATCH, COUPON, JOINED = 7, 70, 8
HELD = Pair("another-id", "another-key")
PRINTS = re.compile(r"click\.s?echo|^ *print\(|std(out|err)\.write", re.MULTILINE)
WITHOUT_TEXTS = {("serve",), ("demo",), ("double",), ("worker",), ("webhook", "deliver")}
"""Commands that print addresses of the settings, and log."""


@pytest.fixture
def run(settings: Settings) -> Run:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={variable("database_url"): settings.database_url})
    return lambda *words: runner.invoke(main, [str(word) for word in words])


@pytest.fixture
def hostile(store: Settings, tmp_path: Path) -> Path:
    """Fill the store with texts that were kept before any were refused, or came from elsewhere."""
    more = {"notes": SENT, "options": SENT, "products": {SENT: SENT}, SENT: SENT}
    inside = [saved.coupon(COUPON, BATCH, code=CODE, **more)]
    batch = saved.batch(BATCH, inside, name=SENT, prefix=CODE, notes=SENT)
    other = saved.batch(JOINED, [saved.coupon(80, JOINED, max_usage="1")])
    alone = saved.details(saved.coupon(71, code=f"{CODE}2"), lastname=SENT, firstname=SENT)
    saved_answers.store_files(
        [
            saved.save(
                tmp_path / "filled.json",
                saved.answer("batches", [batch, other]),
                saved.answer("coupon", alone),
            )
        ]
    )
    accesses.add("shop", HELD)
    Access.update(name=SENT).execute()
    secrets.add(Owner())
    Secret.update(name=SENT, partner=SENT).execute()
    campaigns.add(Owner(), "summer-promo", "Summer")
    campaigns.add(Owner(), "hidden", "Hidden")
    jobs.add(campaigns.by_slug(Owner(), "hidden"), 1, campaign_making.Plan(5))
    shown = campaigns.add(Owner(), "shown", "Shown")
    campaign_making.import_codes(shown, [OWN_CODE], campaign_making.Plan(5), skip=False)
    today = clock.today(UTC)
    campaign_codes.redeem(Owner(), "shown", "user", OWN_CODE, today)
    redemptions.redeem(coupons.by_id(71), Use(today=today, places=2))
    Redemption.update(user_id=SENT, api_id=SENT).execute()
    Campaign.update(name=SENT).execute()
    Campaign.update(partner=SENT).where(Campaign.slug == "hidden").execute()
    users.add("x", "viewer")
    PageUser.update(name=SENT).execute()
    webhooks.add("https://192.0.2.1/", ["code.redeemed"], SENT, visibility.LIVE)
    Webhook.update(url=f"https://192.0.2.1/{SENT}", partner=SENT, disabled_why=SENT).execute()
    due = deliveries.send_test(webhooks.by_id(1))
    WebhookEvent.update(kind=SENT, uuid=SENT[:36]).execute()
    deliveries.settle([Try(due.delivery, "standard", 500, SENT, None, 0.1)])
    AuditEntry.update(actor=SENT, subject=SENT, reason=SENT, address=SENT[:64]).execute()
    usage.write([Entry(clock.now(), SENT, SENT, HELD.api_id, True, "::1")])
    return tmp_path


def raw(text: str) -> set[str]:
    """Return the characters of an output that act on a terminal, but for its own ends of lines."""
    return {each for each in text if not each.isprintable()} - {"\n"}


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from leaves(command, (*path, name))
            else:
                yield (*path, name)


def invocations(folder: Path) -> list[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Return every command with arguments that make it show, or refuse, what is hostile."""
    named = folder / f"{SENT.replace('/', '')}.json"
    named.write_text(json.dumps(saved.answer("coupons", [saved.coupon(1) | {"id": SENT}])))
    again = saved.save(folder / "again.json", saved.answer("coupons", [{SENT: SENT, "id": SENT}]))
    clash = saved.line(saved.coupon(COUPON, code="OTHER"))
    clashing = saved.save(folder / "clash.json", saved.answer("coupons", [clash]))
    sheet = folder / f"{SENT.replace('/', '')}.csv"
    sheet.write_text(f'code,notes\n"{CODE}",x\nGOOD,"{SENT}"\n"{CODE}",y,z\n')
    columns = folder / "columns.csv"
    columns.write_text(f'code,"{SENT.replace(chr(10), "").replace(chr(13), "")}"\n')
    missing = folder / f"none{SENT.replace('/', '')}"
    recorded = folder / "recorded"
    recorded.mkdir(exist_ok=True)
    for call, name in (("listPromoCodes", "a"), (SENT, "b"), (1, SENT.replace("/", ""))):
        answer = {"call": call, "arguments": {SENT: SENT}, "answer": {SENT: SENT, "success": 1}}
        (recorded / f"{name}.json").write_text(json.dumps(answer))
    new = ("--value", "10", "--size", "1")
    terms = ("--value", "10")
    return [
        (("access", "list"), ()),
        (("access", "add"), ("--name", SENT)),
        (("access", "add"), ("--name", "x", "--ip", SENT)),
        (("access", "addresses"), (SENT, "all")),
        (("access", "addresses"), (HELD.api_id, SENT)),
        (("access", "allow"), (SENT, "--all")),
        (("access", "allow"), (HELD.api_id, SENT)),
        (("access", "deny"), (HELD.api_id, "addPromoCode")),
        (("access", "deny"), (SENT, SENT)),
        (("access", "disable"), (HELD.api_id,)),
        (("access", "disable"), ("x\udcff\x1b",)),
        (("campaign", "edit"), ("x\udcff\x1b", "--name", "x")),
        (("access", "enable"), (HELD.api_id,)),
        (("access", "remove"), (SENT,)),
        (("access", "unlock"), ()),
        (("batch", "list"), ()),
        (("batch", "show"), (BATCH,)),
        (("batch", "show"), (SENT,)),
        (("batch", "generate"), ("--name", SENT, *new)),
        (("batch", "generate"), ("--resume", BATCH)),
        (("batch", "generate"), ("--name", "x", "--type", SENT, *new)),
        (("batch", "export"), (BATCH, "--output", folder / "out.csv")),
        (("batch", "export"), (BATCH, "--output", missing / "out.csv")),
        (("batch", "export"), (BATCH, "--output", folder / "out.csv", "--no-clobber")),
        (("batch", "find"), ("a",)),
        (("batch", "find"), (SENT,)),
        (("batch", "find"), (CODE,)),
        (("batch", "find"), ("x\udcff\x1b",)),
        (("batch", "edit"), (BATCH, "--value", "5")),
        (("batch", "edit"), (BATCH, "--name", SENT)),
        (("batch", "edit"), (BATCH, "--status", SENT)),
        (("batch", "grow"), (BATCH, "--size", 1)),
        (("batch", "delete"), (BATCH,)),
        (("campaign", "list"), ()),
        (("campaign", "add"), ("winter", "--name", "Winter", "--partner", SENT)),
        (("campaign", "add"), (SENT, "--name", "Winter")),
        (("campaign", "add"), ("autumn", "--name", "Autumn", "--starts", SENT)),
        (("campaign", "edit"), ("summer-promo", "--name", "Spring")),
        (("campaign", "edit"), ("hidden", "--partner", SENT, "--status", "paused")),
        (("campaign", "jobs"), ()),
        (("campaign", "cancel"), (SENT,)),
        (("campaign", "join"), ("summer-promo", JOINED, "--points", 5)),
        (("campaign", "join"), (SENT, JOINED, "--points", 5)),
        (("batch", "archive"), (JOINED,)),
        (("batch", "delete"), (JOINED, "--yes")),
        (("call",), ("listPromoBatches",)),
        (("call",), (SENT,)),
        (("call",), ("listPromoBatches", SENT)),
        (("coupon", "show"), (CODE,)),
        (("coupon", "show"), (f"{CODE}2",)),
        (("coupon", "show"), (SENT,)),
        (("coupon", "show"), ("x\udcff\x1b",)),
        (("coupon", "list"), ()),
        (("coupon", "list"), ("--batch", BATCH)),
        (("coupon", "edit"), (CODE, "--notes", "x\x1b")),
        (("coupon", "edit"), (CODE, "--value", "5")),
        (("coupon", "edit"), (SENT, "--value", "5")),
        (("coupon", "edit"), (f"{CODE}2", "--client-id", "5")),
        (("coupon", "revoke"), (f"{CODE}2",)),
        (("coupon", "revoke"), (SENT, "--partner", SENT)),
        (("coupon", "reactivate"), (f"{CODE}2",)),
        (("coupon", "reactivate"), (SENT,)),
        (("coupon", "delete"), (CODE,)),
        (("coupon", "delete"), ("x\udcff\x1b", "--yes")),
        (("coupon", "import"), (sheet, *terms)),
        (("coupon", "import"), (sheet, *terms, "--skip-bad")),
        (("coupon", "import"), (columns, *terms)),
        (("coupon", "import"), (missing, *terms)),
        (("import",), (again,)),
        (("import",), (clashing,)),
        (("import",), (named,)),
        (("import",), (missing,)),
        (("campaign", "codes"), ("shown",)),
        (("campaign", "codes"), ("shown", "--csv", "--output", folder / "codes.csv")),
        (("campaign", "codes"), ("shown", "--cursor", SENT)),
        (("campaign", "codes"), (SENT,)),
        (("campaign", "code"), (OWN_CODE,)),
        (("campaign", "code"), (SENT,)),
        (("redemption", "list"), ()),
        (("redemption", "list"), ("--code", CODE)),
        (("redemption", "list"), ("--csv", "--output", missing / "uses.csv")),
        (("redemption", "list"), ("--date-to", SENT)),
        (("redemption", "list"), ("--user", "x\udcff\x1b")),
        (("redemption", "list"), ("--campaign", SENT)),
        (("redemption", "show"), (1,)),
        (("redemption", "show"), (2,)),
        (("redemption", "show"), (SENT,)),
        (("redemption", "release"), (1,)),
        (("redemption", "release"), (1,)),
        (("redemption", "release"), (2,)),
        (("redemption", "release"), ("x\udcff\x1b",)),
        (("panel", "diffs"), ()),
        (("panel", "diffs"), (SENT,)),
        (("panel", "learn"), ("--from", SENT, "--hours", 1)),
        (("panel", "learned"), ()),
        (("panel", "pending"), ()),
        (("panel", "record"), (missing,)),
        (("panel", "renumber"), ()),
        (("panel", "renumber"), (SENT,)),
        (("panel", "route"), (SENT, "local")),
        (("panel", "routes"), ()),
        (("panel", "settle"), (SENT, "applied")),
        (("panel", "status"), ()),
        (("panel", "walk"), ()),
        (("panel", "replay"), (recorded,)),
        (("panel", "replay"), (missing,)),
        (("secret", "list"), ()),
        (("secret", "add"), ("--name", SENT)),
        (("secret", "add"), ("--partner", SENT)),
        (("secret", "deactivate"), (1,)),
        (("secret", "activate"), (1,)),
        (("secret", "revoke"), (1,)),
        (("webhook", "list"), ()),
        (("webhook", "deliveries"), (1,)),
        (("webhook", "add"), (f"https://{SENT}", "--events", "all")),
        (("webhook", "add"), ("https://192.0.2.1", "--events", SENT)),
        (("webhook", "add"), ("https://192.0.2.1", "--events", "all", "--allow-network", SENT)),
        (("webhook", "add"), ("https://192.0.2.1", "--events", "all", "--partner", SENT)),
        (("webhook", "test"), (1,)),
        (("webhook", "rotate"), (1,)),
        (("webhook", "resend"), (1, "--event", SENT)),
        (("webhook", "resend"), (1, "--since", SENT)),
        (("webhook", "disable"), (1,)),
        (("webhook", "enable"), (1,)),
        (("webhook", "remove"), (1,)),
        (("usage", "list"), ()),
        (("usage", "list"), ("--secret", SENT)),
        (("usage", "list"), ("--api-id", "x\udcff\x1b")),
        (("usage", "summary"), ()),
        (("usage", "summary"), ("--days", SENT)),
        (("audit", "list"), ()),
        (("audit", "list"), ("--actor", SENT)),
        (("audit", "list"), ("--subject", SENT)),
        (("user", "list"), ()),
        (("user", "add"), (SENT, "--role", "viewer", "--invite")),
        (("user", "disable"), (SENT,)),
        (("user", "enable"), ("x",)),
        (("user", "reset"), ("x", "--yes", "--at", SENT)),
        (("collection",), (SENT,)),
        (("db", "upgrade"), ()),
        (("db", "check"), ()),
        (("db", "backup"), (named.with_suffix(".db"),)),
        (("db", "backup"), (named.with_suffix(".db"),)),
        (("db", "restore"), (named,)),
        (("db", "copy"), (f"sqlite:///{missing}", f"sqlite:///{missing}2")),
        ((SENT,), ()),
        ((f"--{SENT}",), ()),
        (("batch", SENT), ()),
    ]


def test_no_command_lets_a_stored_text_act_on_the_terminal(run: Run, hostile: Path) -> None:
    Coupon.update(num_usage=5).where(Coupon.id == COUPON).execute()  # for the check to name it
    tried = set()
    shown = ""
    for words, arguments in invocations(hostile):
        tried.add(words)
        for options in ((), ("--json",)):
            done = run(*words, *options, *arguments)
            assert not isinstance(done.exception, Exception), (words, done.exception)
            # What `call` prints is the exact body, and PHP leaves DEL in it as it is.
            allowed = {"\x7f"} if words == ("call",) else set()
            assert raw(done.stdout + done.stderr) <= allowed, (words, options, done.output)
            shown += done.output
    assert set(leaves(main)) - WITHOUT_TEXTS <= tried
    # It did have all of it to show.
    assert all(visible(text) in shown for text in (SENT, CODE, SENT.replace("/", "")))


def test_the_json_of_a_command_is_still_the_text_that_is_stored(run: Run, hostile: Path) -> None:
    shown = json.loads(run("batch", "show", BATCH, "--json").stdout)
    assert (shown["name"], shown["prefix"], shown["notes"]) == (SENT, CODE, SENT)
    assert json.loads(run("access", "list", "--json").stdout)[0]["name"] == SENT
    Batch.update(name="Zażółć 漢字 \U0001f381").execute()
    assert "Zażółć 漢字 \U0001f381" in run("batch", "show", BATCH, "--json").stdout


def test_a_name_with_ends_of_lines_makes_no_row_of_its_own(run: Run, hostile: Path) -> None:
    Batch.update(name="x\n9  Paid  Active").where(Batch.id == BATCH).execute()
    lines = run("batch", "list").stdout.splitlines()
    assert len(lines) == 3
    assert "x\\n9  Paid  Active" in lines[2]
    assert len({line.index("202") for line in lines[1:]}) == 1  # the columns stand in line


def test_nothing_in_a_command_prints_past_the_one_function() -> None:
    folder = Path(app.cli.__file__).parent
    used = {
        path.name
        for path in folder.glob("*.py")
        if re.search(
            r"click\.s?echo|^ *print\(|std(out|err)\.write", path.read_text(), re.MULTILINE
        )
    }
    # The function, JSON, and the bytes of an export.
    assert used == {"lines.py", "output.py", "csv_output.py"}


@pytest.mark.parametrize(
    "command",
    [
        ("batch", "export", str(BATCH)),
        ("redemption", "list", "--csv"),
        ("campaign", "codes", "shown", "--csv"),
        ("usage", "summary", "--csv"),
    ],
)
def test_an_export_on_a_terminal_is_shown_as_escapes(
    store: Settings, hostile: Path, command: tuple[str, ...]
) -> None:
    theirs, ours = pty.openpty()
    words = [sys.executable, "-m", "app.cli", *command]
    variables = environment(hostile) | {variable("database_url"): store.database_url}
    subprocess.run(words, env=variables, stdout=ours, check=True, timeout=60)
    os.close(ours)
    read = b""
    while True:
        try:
            piece = os.read(theirs, 65536)
        except OSError:  # its end, on Linux
            break
        if not piece:
            break
        read += piece
    os.close(theirs)
    text = read.decode().replace("\r\n", "\n")  # the terminal's own
    assert "\\x1b]8;;http://x" in text
    assert raw(text) == set()


@pytest.mark.parametrize("sign", ACTS)
def test_a_caller_stores_no_such_text_in_one_line(client: FlaskClient, sign: str) -> None:
    terms = {"coupon_type": "cart", "type": "percent", "value": "1"}
    text = f"a{sign}b"

    def refused(call: str, /, **arguments: str) -> str:
        data = CREDENTIALS | {"call": call} | terms | arguments
        answer = client.post("/admin/api.php", data=data)
        assert not answer.json["success"]
        return str(answer.json["error"][0])

    line = "must be one line of text without control characters"
    printable = "must be printable characters"
    assert refused("addPromoCode", code=text) == f"Wrong parameter: code ({printable})"
    assert refused("addPromoBatch", name=text, size="1") == f"Wrong parameter: name ({line})"
    assert "prefix" in refused("addPromoBatch", name="x", size="1", prefix=text)
    assert "domains" in refused("addPromoCode", code="x", domains=f".com{sign}")
    assert refused("editPromoBatch", id="1", name=text) == f"Wrong parameter: name ({line})"
    assert Terms.select().count() == Coupon.select().count() == Batch.select().count() == 0


@pytest.mark.parametrize("sign", ["\x1b", "\x07", "\b", "\x0b", "\x7f", "\x80", "\x9b", "\x85"])
def test_a_caller_stores_notes_of_lines_and_tabs_alone(client: FlaskClient, sign: str) -> None:
    def sent(**arguments: str) -> Any:
        terms = {"coupon_type": "cart", "type": "percent", "value": "1", "code": "A"}
        data = CREDENTIALS | {"call": "addPromoCode"} | terms | arguments
        return client.post("/admin/api.php", data=data).json

    why = "must hold no control characters but tabs and ends of lines"
    assert sent(notes=f"a{sign}b")["error"] == [f"Wrong parameter: notes ({why})"]
    kept = "a\tb\r\nc\n\u202b\u05e9\u05dc\u202c"
    assert sent(notes=kept)["success"]
    assert Coupon.get().terms.notes == kept


@pytest.mark.parametrize("sign", ACTS)
def test_a_partner_stores_no_such_text(client: FlaskClient, sign: str) -> None:
    campaigns.add(Owner(), "summer-promo", "Summer")
    _, secret = secrets.add(Owner())

    def refused(path: str, **body: Any) -> list[str]:
        answer = client.post(f"/v1/campaigns{path}", json=body, headers={"X-API-Secret": secret})
        assert answer.status_code == 400, answer.data
        return list(answer.json["errors"])

    order = {"slug": "summer-promo", "pointsValue": 1}
    text = f"a{sign}b"
    assert refused("", slug="winter", name=text) == ["name"]
    assert refused("", slug=text, name="Winter") == ["slug"]
    assert refused("/codes/generate", **order, batchSize=1, label=text) == ["label"]
    assert refused("/codes/jobs", **order, batchSize=1, label=text) == ["label"]
    assert refused("/codes/import", **order, codes=[text]) == ["codes.0"]
    assert refused("/summer-promo/redeem", userId=text, code="A") == ["userId"]
    assert Coupon.select().count() == Batch.select().count() == 0


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("sign", [*ACTS, "\udcff"])
def test_an_operator_stores_no_such_name(sign: str) -> None:
    for store in (
        lambda: accesses.add(f"a{sign}"),
        lambda: secrets.add(Owner(), f"a{sign}"),
        lambda: secrets.add(Owner(partner=f"a{sign}")),
        lambda: campaigns.add(Owner(partner=f"a{sign}"), "summer", "Summer"),
        lambda: campaigns.add(Owner(), "summer", f"a{sign}"),
    ):
        with pytest.raises(Invalid):
            store()
    with pytest.raises(Invalid):
        accesses.add("n" * 256)


def test_a_sheet_brings_no_such_code_or_note(run: Run, store: Settings, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text('code,notes\n"A\x1b[2J",x\nB,"a\x9bb"\nC,"a\tb\r\nc"\n', newline="")
    done = json.loads(run("coupon", "import", path, "--value", "1", "--skip-bad", "--json").stdout)
    assert (done["bad"], done["stored"]) == (2, 1)
    assert [problem.split(":")[:2] for problem in done["problems"]] == [
        ["line 2", " code"],
        ["line 3", " notes"],
    ]
    assert Coupon.get().terms.notes == "a\tb\r\nc"


def test_what_another_installation_has_is_answered_as_it_was(
    client: FlaskClient, hostile: Path
) -> None:
    answer = client.post(
        "/admin/api.php", data=CREDENTIALS | {"call": "getPromoDetailsByCode", "code": CODE}
    )
    assert answer.json["coupon"]["code"] == CODE
    assert answer.json["coupon"]["notes"] == SENT
    assert not raw(answer.text) - {"\x7f"}
