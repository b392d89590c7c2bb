"""Who uses a double: PHP, and pytest in a project that knows nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.double.conftest import PAIR, Started
from tests.programs import program

PLUGIN = Path(__file__).parents[2] / "deploy" / "pytest"
SHOP = """
<?php
[$url, $id, $key] = array_slice($argv, 1);
function call($name, $arguments = []) {
    global $url, $id, $key;
    $query = http_build_query(['api_id' => $id, 'api_key' => $key, 'call' => $name] + $arguments);
    $raw = @file_get_contents("$url/admin/api.php?$query");
    return $raw === false ? null : json_decode($raw, true);
}
function control($method, $path, $body = null) {
    global $url;
    $head = 'Content-Type: application/json';
    $sent = $body === null ? '' : json_encode($body);
    $http = ['method' => $method, 'header' => $head, 'content' => $sent];
    file_get_contents("$url/_double/$path", false, stream_context_create(['http' => $http]));
}
function check($what, $holds) { if (!$holds) { echo "failed: $what\\n"; exit(1); } }

$bought = ['products' => [5], 'cycle' => 'Monthly', 'amount' => '19.99'];
$order = ['code' => 'FIRSTORDER', 'clients' => 'new'] + $bought;
function details() { return call('getPromoDetailsByCode', ['code' => 'FIRSTORDER'])['coupon']; }
function uses() { return details()['num_usage']; }
control('POST', 'reset');
check('the seed is there', call('getPromoDetailsByCode', ['code' => 'FIRSTORDER'])['success']);
control('PUT', 'faults', ['call' => 'redeemPromoCode', 'times' => 1, 'lose_answer' => true]);
check('an answer is lost', call('redeemPromoCode', $order + ['order_id' => 7]) === null);
$again = call('redeemPromoCode', $order + ['order_id' => 7]);
check('the same order again is the same use', $again['success'] === true);
check('used once', uses() == 4);
control('PUT', 'clock', ['frozen' => '2031-01-01']);
check('it is over', call('redeemPromoCode', $order + ['order_id' => 8])['success'] === false);
control('PUT', 'stubs', ['call' => 'getClients', 'answers' => [['clients' => []]]]);
check('a stub', call('getClients')['clients'] === []);
echo 'all held';
"""
TESTS = """
import json
import urllib.parse
import urllib.request

import pytest
from app.shop import NAME
from models.cart import TOTAL

import promobridge_double


def call(double, name, **arguments):
    query = {"api_id": double.id, "api_key": double.key, "call": name, **arguments}
    body = urllib.parse.urlencode(query).encode()
    with urllib.request.urlopen(double.url, body) as answer:
        return json.load(answer)


@pytest.mark.parametrize("turn", range(2))
def test_each_test_begins_with_the_seed(promobridge, turn):
    assert (NAME, TOTAL) == ("shop", 3)
    terms = {"coupon_type": "cart", "type": "percent", "value": 5}
    assert call(promobridge, "addPromoCode", code="MINE", **terms)["success"]
    assert promobridge.requests.count("addPromoCode") == 1
    assert promobridge.requests.all()[0]["arguments"]["code"] == "MINE"


def test_clock_faults_stubs_and_snapshots(promobridge):
    promobridge.clock.freeze("2026-12-31T23:59:00Z")
    promobridge.clock.advance(60)
    assert promobridge.clock.now() == "2027-01-01T00:00:00Z"
    promobridge.stubs.put("getClients", {"clients": [1]}, {"clients": [2]}, match={"page": 0})
    assert [call(promobridge, "getClients", page=0)["clients"] for _ in "ab"] == [[1], [2]]
    promobridge.stubs.clear("getClients")
    assert call(promobridge, "getClients", page=0)["clients"] == "of the file"
    promobridge.faults.put("getClients", times=1, error="gone")
    assert call(promobridge, "getClients")["error"] == ["gone"]
    promobridge.faults.put(error="gone")
    promobridge.faults.clear()
    kept = promobridge.snapshot()
    call(promobridge, "deletePromoCode", code="FIRSTORDER")
    assert not call(promobridge, "getPromoDetailsByCode", code="FIRSTORDER")["success"]
    promobridge.restore(kept)
    assert call(promobridge, "getPromoDetailsByCode", code="FIRSTORDER")["success"]
    promobridge.clock.real()
    with pytest.raises(promobridge_double.DoubleError, match="no time"):
        promobridge.clock.freeze("soon")


@pytest.mark.parametrize("turn", range(2))
def test_a_seed_is_gone_with_its_test(promobridge, turn):
    assert call(promobridge, "listPromoBatches")["batches"][0]["name"] == "XOXO"
    mine = {"call": "addPromoCode", "code": "A", "coupon_type": "cart", "value": 1, "type": "fixed"}
    promobridge.seed({"calls": [mine]})
    promobridge.reset()
    assert call(promobridge, "listPromoBatches")["batches"] == []


def test_the_rest_api(promobridge):
    asked = urllib.request.Request(
        f"{promobridge.rest_url}/campaigns/codes?slug=summer-promo",
        headers={"X-API-Secret": promobridge.secret},
    )
    with urllib.request.urlopen(asked) as answer:
        assert answer.status == 200
"""


def test_php_drives_it(double: Started, tmp_path: Path) -> None:
    (tmp_path / "shop.php").write_text(SHOP.lstrip())
    words = [program("php"), "shop.php", double.url, PAIR.api_id, PAIR.api_key]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "all held", done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with an environment of its own, whose packages are named as ours are."""
    folder = tmp_path_factory.mktemp("project")
    for package, module, text in (
        ("app", "shop", "NAME = 'shop'"),
        ("models", "cart", "TOTAL = 3"),
    ):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / f"{module}.py").write_text(text + "\n")
    (folder / "test_shop.py").write_text(TESTS)
    (folder / "stubs.json").write_text('{"getClients": {"clients": "of the file"}}')
    settings = "[pytest]\npythonpath = .\npromobridge_double = --stubs stubs.json --strict\n"
    (folder / "pytest.ini").write_text(settings)
    subprocess.run([sys.executable, "-m", "venv", "env"], cwd=folder, check=True, timeout=120)
    shutil.copytree(PLUGIN, folder / "plugin")  # it is built where it stands
    packages = ["pytest", "pytest-xdist", str(folder / "plugin")]
    pip = [folder / "env" / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], cwd=folder, check=True, timeout=300)
    return folder


def run_pytest(
    project: Path, *options: str, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run the tests of the project, whose packages stand before all others, as by its CI."""
    given = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    given.pop("PROMOBRIDGE_DATABASE_URL", None)
    changed = {"PROMOBRIDGE_COMMAND": program("promobridge"), "PYTHONPATH": str(project)}
    for name, text in (changed | variables).items():
        given.pop(name, None)
        if text is not None:
            given[name] = text
    words = [project / "env" / "bin" / "pytest", "-q", *options]
    return subprocess.run(
        words, cwd=project, env=given, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_project_of_its_own_uses_the_fixture(project: Path, options: tuple[str, ...]) -> None:
    done = run_pytest(project, "-W", "error", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_fixture_has_the_credentials_of_its_settings(project: Path) -> None:
    settings = "promobridge_double=--id another-id --key=another-key"
    done = run_pytest(project, "-k", "begins_with_the_seed", "-o", settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_command_that_is_missing_or_fails_is_said(project: Path) -> None:
    def said(*options: str, **variables: str | None) -> str:
        done = run_pytest(project, "-k", "rest_api", *options, **variables)
        assert done.returncode == 1, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    nowhere = said(PROMOBRIDGE_COMMAND="/nowhere/promobridge")
    assert "/nowhere/promobridge cannot be run (No such file or directory)" in nowhere
    assert "There is no command promobridge" in said(PROMOBRIDGE_COMMAND=None, PATH="")
    wrong = said("-o", "promobridge_double=--clock soon")
    assert "The double did not start: Error: 'soon' is no time" in wrong


def test_the_plugin_knows_the_documented_credentials() -> None:
    from app.double.seed import SECRET

    text = (PLUGIN / "promobridge_double.py").read_text()
    assert f'ID, KEY = "{PAIR.api_id}", "{PAIR.api_key}"' in text
    assert f'SECRET = "{SECRET}"' in text
    # No package of promobridge's is imported: a user's project has some of these names.
    lines = [
        line.split()[1].split(".")[0]
        for line in text.splitlines()
        if line.startswith(("import", "from"))
    ]
    assert not {"app", "calls", "models"} & {*lines}
