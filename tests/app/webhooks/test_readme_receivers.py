"""The receivers that README shows, as they stand there, take what is signed and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, create_server

import pytest
from urllib3 import request

from app.webhooks import secrets
from app.webhooks.messages import message
from app.webhooks.secrets import Seal
from models.webhooks import webhooks
from models.webhooks.deliveries import WebhookDelivery, WebhookEvent
from tests.app.webhooks.conftest import Hooks, send_all
from tests.programs import program
from tests.waiting import wait_until

README = Path(__file__).parents[3] / "README.md"
TEN_LINES = 10


def shown(language: str) -> str:
    """Return the receiver in a language."""
    section = README.read_text().split("## Be told, not asked")[1].split("\n## ")[0]
    [code] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(code)


@contextmanager
def running(language: str, secret: str, folder: Path) -> Iterator[str]:
    """Run the receiver, and return its URL."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if language == "php":
        (folder / "hooks.php").write_text(f"<?php\n{shown(language)}")
        command = [program("php"), "-S", f"127.0.0.1:{port}", "-t", str(folder)]
        path = "hooks.php"
    else:
        (folder / "receiver.py").write_text(shown(language))
        command = [sys.executable, "-m", "flask", "--app", "receiver", "run", "--port", str(port)]
        path = "hooks"
    with (folder / "receiver.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"WEBHOOK_SECRET": secret},
            stdout=log,
            stderr=log,
        )
    try:

        def listens() -> bool:
            try:
                create_connection(("127.0.0.1", port), 1).close()
            except ConnectionRefusedError:
                return False
            return True

        wait_until(listens)
        yield f"http://127.0.0.1:{port}/{path}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("language", ["php", "python"])
def test_it_takes_what_is_signed_and_refuses_the_rest(
    hooks: Hooks, seal: Seal, tmp_path: Path, language: str
) -> None:
    assert len([line for line in shown(language).splitlines() if line]) <= TEN_LINES
    hook, secret = hooks.add()
    with running(language, secret, tmp_path) as url:
        webhooks.Webhook.update(url=url).execute()
        hooks.happen()
        send_all(seal)
        told = WebhookDelivery.get().told
        assert (told[0]["status"], told[0]["problem"]) == (200, "")
        event = WebhookEvent.get()
        signed = message(webhooks.by_id(hook.id), event, [secret, secrets.new()])
        answer = request("POST", url, headers=signed.headers, body=signed.body)
        assert (answer.status, answer.data.decode()) == (200, f"batch.created {event.uuid}")
        old = signed.headers | {"webhook-timestamp": str(int(time.time()) - 600)}
        forged = message(webhooks.by_id(hook.id), event, [secrets.new()])
        for headers, body in (
            (signed.headers, signed.body + b" "),
            (old, signed.body),
            (forged.headers, forged.body),
            ({}, signed.body),
        ):
            refused = request("POST", url, headers=headers, body=body)
            assert (refused.status, refused.data) == (400, b"")
