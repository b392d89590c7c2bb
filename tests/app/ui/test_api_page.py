"""The page of the API: all of it with the addresses of this installation, and downloads."""

from __future__ import annotations

import json

import pytest

import calls
from app.reference import rest
from app.ui.pages.api import FILES, ticked
from tests.app.ui.people import Person

LARGEST = 200_000


def test_the_page_shows_every_call_and_endpoint_with_examples(viewer: Person) -> None:
    page = viewer.get("/ui/api")
    assert page.status_code == 200
    assert len(page.data) < LARGEST
    names = [*calls.registry(), *(each.id for each in rest.operations())]
    for name in names:
        assert f'<details class="operation" id="{name}">' in page.text
        for language in ("curl", "php", "python"):
            assert page.text.count(f'data-copy="{name}-{language}"') == 1
            assert page.text.count(f'id="{name}-{language}"') == 1
    assert "http://localhost/admin/api.php" in page.text
    assert "http://localhost/v1/campaigns/codes/generate" in page.text
    assert "YOUR_API_KEY" in page.text


@pytest.mark.parametrize("name", FILES)
def test_a_description_is_downloaded(viewer: Person, name: str) -> None:
    file = viewer.get(f"/ui/api/{name}")
    assert file.content_type == "application/json"
    assert file.headers["Content-Disposition"] == f"attachment; filename={name}"
    described = json.loads(file.data)
    if name == "openapi.json":
        assert described == viewer.client.get("/v1/openapi.json").json
    else:
        held = {each["key"]: each["value"] for each in described["variable"]}
        assert held["base_url"] == "http://localhost"


def test_no_other_file_is_downloaded(viewer: Person) -> None:
    assert viewer.get("/ui/api/README.md").status_code == 404


def test_sentences_keep_what_is_no_code_as_text() -> None:
    assert ticked("`a` <b>") == "<code>a</code> &lt;b&gt;"
