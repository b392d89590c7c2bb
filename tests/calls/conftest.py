"""The calls as a client sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.credentials import CREDENTIALS

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """Return a function that runs a call and returns its answer without what every answer has."""

    def asked(call: str, **arguments: Any) -> dict[str, Any]:
        answer = client.post(
            "/admin/api.php", query_string=CREDENTIALS | {"call": call}, data=arguments
        )
        assert answer.status_code == 200
        said = answer.get_json()
        assert said.pop("call") == call
        assert isinstance(said.pop("server_time"), int)
        assert said["success"] is ("error" not in said)
        return {name: value for name, value in said.items() if name != "success"}

    return asked
