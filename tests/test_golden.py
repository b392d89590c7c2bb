"""Exact answers as data: golden/CALL/NAME.query is sent, NAME.json holds the answer's bytes."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.credentials import QUERY

GOLDEN = Path(__file__).parent / "golden"
QUERIES = sorted(GOLDEN.glob("*/*.query"))


def test_there_are_golden_pairs() -> None:
    assert len(QUERIES) > 20
    assert all(query.with_suffix(".json").exists() for query in QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_answer_is_the_golden_one(query: Path, golden_client: FlaskClient) -> None:
    text = f"{QUERY}&call={query.parent.name}&{query.read_text().strip()}"
    answer = golden_client.get("/admin/api.php", query_string=text)
    assert answer.status_code == 200
    assert answer.data == query.with_suffix(".json").read_bytes().rstrip(b"\n")
