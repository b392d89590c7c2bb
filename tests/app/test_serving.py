"""The web servers as processes: start, refusals to start, many clients at once, the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from app.config import Settings
from models.access import accesses, secrets
from models.promotions import batch_life
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests import stores
from tests.credentials import PAIR, QUERY
from tests.engine_servers import free_port
from tests.serving import ROOT, environment, processes, reply, request_bytes, served, workers
from tests.waiting import wait_until

CLIENTS = 32
THREADS = 4
LARGE = 20_000
"""Codes in a list that is sent as it is made."""
TIMEOUT = 60


def serve(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `promobridge serve` where it must refuse."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", *options],
        cwd=folder,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_32_clients_read_and_write_at_once(folder: Path, web_server: str) -> None:
    def one_client(number: int) -> list[bool]:
        made = server.get(
            f"{QUERY}&call=addPromoCode&code=C{number}&coupon_type=cart&type=percent&value=5"
        )
        seen = server.get(f"{QUERY}&call=getPromoDetailsByCode&code=C{number}")
        return [made.value["success"], seen.value["coupon"]["code"] == f"C{number}"]

    running = served(folder, web_server=web_server)
    with running as server, ThreadPoolExecutor(CLIENTS) as clients:
        results = list(clients.map(one_client, range(CLIENTS)))
    assert results == [[True, True]] * CLIENTS
    assert Coupon.select().count() == CLIENTS


def test_a_connection_is_kept_for_the_next_call(folder: Path, web_server: str) -> None:
    with served(folder, web_server=web_server) as server:
        connection = HTTPConnection(*server.address, timeout=TIMEOUT)
        for _ in range(3):
            connection.request("GET", f"/api.php?{QUERY}&call=getHostBillversion")
            used = connection.sock
            assert b'"success":true' in connection.getresponse().read()
            assert connection.sock is used
        connection.close()


def test_clients_that_leave_amid_a_large_list_are_no_failure(folder: Path, web_server: str) -> None:
    batch_life.make("Large", Terms.of(), LARGE)
    request = request_bytes("GET", f"/api.php?{QUERY}&call=listPromoBatches")
    with served(folder, "--workers", "1", web_server=web_server) as server:
        for _ in range(2 * THREADS):
            with socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(server.address)
                connection.sendall(request)
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        assert "failed" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(folder: Path, web_server: str, number: int) -> None:
    with served(folder, web_server=web_server) as server:
        assert server.first_line == f"Serving {server.endpoint}\n"
        status, rest = server.stop(number)
        assert (status, rest) == (0, "")
        assert "Traceback" not in server.log()
        assert processes(server) == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address)


def test_ctrl_c_in_a_terminal_reaches_every_process_and_ends_it_cleanly(
    folder: Path, web_server: str
) -> None:
    with served(folder, web_server=web_server) as server:
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(TIMEOUT) == 0
        assert "Traceback" not in server.log()
        with pytest.raises(ProcessLookupError):
            os.killpg(server.process.pid, 0)


def test_sighup_replaces_the_workers_and_keeps_the_address(folder: Path) -> None:
    with served(folder, "--workers", "1") as server:
        server.process.send_signal(signal.SIGHUP)

        def is_replaced() -> bool:
            assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]  # all the while
            return server.workers.isdisjoint(processes(server))

        wait_until(is_replaced, why=server.log)
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        assert len(workers(server)) == 1


def test_an_address_that_the_server_opens_is_announced_as_it_is(
    folder: Path, web_server: str
) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--bind", f"unix:{folder}/http.sock"]
    process = subprocess.Popen(
        [*command, "--workers", "1", "--server", web_server],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process, socket.socket(socket.AF_UNIX) as client:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Serving unix:{folder}/http.sock\n"
        wait_until(lambda: client.connect_ex(f"{folder}/http.sock") == 0)
        client.sendall(request_bytes("GET", f"/api.php?{QUERY}&call=getHostBillversion"))
        assert reply(client).value["success"]
        assert (folder / "http.sock").stat().st_mode & 0o007 == 0
        process.terminate()
    assert process.returncode == 0


def test_granian_takes_no_socket_that_is_open_already(folder: Path) -> None:
    refused = serve(folder, "--bind", "fd://3", "--server", "granian")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Error: granian listens on HOST:PORT and unix:PATH only\n"


def test_plain_gunicorn_in_the_checkout_serves_too(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:0", "--workers", "1"],
        cwd=ROOT,
        env=environment(folder),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "Listening at: " in line)
        port = int(line.split("127.0.0.1:")[1].split()[0])
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        connection.request("GET", f"/admin/api.php?{QUERY}&call=getAPIMethods")
        assert b'"success":true' in connection.getresponse().read()
        connection.close()
    finally:
        process.terminate()
        _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert '"GET /admin/api.php HTTP/1.1" 200' in log
    assert PAIR.api_key not in log


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_plain_granian_in_the_checkout_serves_too(folder: Path) -> None:
    port = free_port()
    words = ["--interface", "wsgi", "--port", str(port), "wsgi:app"]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *words],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("Started worker" in line for line in process.stdout)
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        wait_until(lambda: accepts(port))  # it says so before it listens
        connection.request("GET", f"/admin/api.php?{QUERY}&call=getAPIMethods")
        assert b'"success":true' in connection.getresponse().read()
        connection.close()
    finally:
        process.terminate()
        log, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert PAIR.api_key not in log


def test_a_taken_port_is_one_sentence(folder: Path, web_server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = serve(folder, "--bind", address, "--server", web_server)
    assert refused.stderr == f"Error: Cannot listen on {address}: Address already in use\n"
    assert (refused.returncode, refused.stdout) == (1, "")


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [
        ("127.0.0.1:x", "An address to listen on is HOST:PORT, not 127.0.0.1:x"),
        ("8080", "An address to listen on is HOST:PORT, not 8080"),
        ("127.0.0.1:65536", "Cannot listen on 127.0.0.1:65536: a port is 0 to 65535"),
        ("192.0.2.1:80", "Cannot listen on 192.0.2.1:80: Cannot assign requested address"),
    ],
)
def test_an_address_of_no_use_is_one_sentence(tmp_path: Path, bind: str, sentence: str) -> None:
    refused = serve(tmp_path, "--bind", bind)
    assert (refused.returncode, refused.stderr) == (1, f"Error: {sentence}\n")


def test_an_older_schema_is_refused_before_a_worker_starts(folder: Path, web_server: str) -> None:
    with stores.session(stores.url(folder)) as store:
        store.execute_sql("DELETE FROM schema_migration WHERE id = 1")
    files = folder / "tmp"
    files.mkdir()
    refused = serve(folder, "--bind", "127.0.0.1:0", "--server", web_server, TMPDIR=str(files))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("Error: The database schema is older than this version")
    assert refused.stderr.endswith("run `promobridge db upgrade`.\n")
    assert refused.stderr.count("\n") == 1
    assert list(files.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMOBRIDGE_PROXY_COUNT", "two"),
        ("PROMOBRIDGE_ADMIN_PATH", "admin"),
        ("PROMOBRIDGE_DATABASE_URL", "sqlite://"),
        ("PROMOBRIDGE_DATABASE_URL", "oracle:///x"),
    ],
)
def test_a_bad_setting_is_one_sentence_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    refused = serve(tmp_path, "--bind", "127.0.0.1:0", **{name: value})
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: {name}")
    assert refused.stderr.count("\n") == 1


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/store.db"
    refused = serve(tmp_path, "--bind", "127.0.0.1:0", PROMOBRIDGE_DATABASE_URL=url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The store cannot be reached")
    assert refused.stderr.count("\n") == 1


@stores.about_sqlite
def test_files_are_for_their_owner_only(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    with served(folder, HOME=str(home), XDG_RUNTIME_DIR=str(home)) as server:
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("store.db*")}
        assert set(modes.values()) == {0o600}, modes
        assert os.listdir(home) == []  # no control socket


def test_head_and_options_answer_without_running_a_call(folder: Path, web_server: str) -> None:
    write = f"{QUERY}&call=addPromoCode&code=H&coupon_type=cart&type=percent&value=5"
    with served(folder, web_server=web_server) as server:
        with socket.create_connection(server.address, TIMEOUT) as raw:
            raw.sendall(request_bytes("HEAD", f"/admin/api.php?{write}"))
            head = b"".join(iter(lambda: raw.recv(65536), b""))
        options = server.send(request_bytes("OPTIONS", f"/admin/api.php?{write}"))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert options.status == 200
    assert Coupon.select().count() == 0


def test_a_server_that_nobody_may_use_says_so(store: Settings, tmp_path: Path) -> None:
    said = "Warning: Nobody may use the API yet: promobridge access add, or promobridge secret add"

    def lines() -> list[str]:
        with served(tmp_path) as server:
            return [  # it comes before the line that the server is known by
                line for line in server.log().splitlines() if line.startswith("Warning")
            ]

    assert lines() == [said]
    access, _ = accesses.add("shop")
    assert lines() == []
    accesses.enable(access.api_id, False)
    assert lines() == [said]
    secrets.add(Owner())
    assert lines() == []
    secrets.revoke(1)
    assert lines() == [said]
