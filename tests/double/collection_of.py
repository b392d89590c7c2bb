"""A collection of many calls, as a panel's download button makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.double.seed import PAIR

URL = "{{base_url}}/admin/api.php"


def item(number: int) -> dict[str, Any]:
    """Return one call: credentials and name in the query, arguments as a form, a sample answer."""
    call = f"getThing{number:03}"
    query = [
        {"key": "api_id", "value": PAIR.api_id},
        {"key": "api_key", "value": PAIR.api_key},
        {"key": "call", "value": call},
    ]
    form = [
        {"key": "id", "value": str(number), "type": "text", "required": True},
        {"key": "page", "value": "0", "type": "text", "required": False},
    ]
    sample = {"success": True, "thing": {"id": str(number)}, "call": call, "server_time": 1}
    text = "&".join(f"{each['key']}={each['value']}" for each in query)
    return {
        "name": call,
        "request": {
            "method": "POST",
            "url": {"raw": f"{URL}?{text}", "host": ["{{base_url}}"], "query": query}
            | {"path": ["admin", "api.php"]},
            "body": {"mode": "formdata", "formdata": form},
        },
        "response": [{"name": "sample", "code": 200, "body": json.dumps(sample)}],
        "event": [
            {
                "listen": "test",
                "script": {
                    "type": "text/javascript",
                    "exec": [
                        "pm.test('answers', () => {",
                        "  const said = pm.response.json();",
                        "  pm.expect(said.success).to.eql(true);",
                        f"  pm.expect(said.call).to.eql('{call}');",
                        f"  pm.expect(said.thing.id).to.eql('{number}');",
                        "  pm.expect(said.server_time).to.be.above(1);",
                        "});",
                    ],
                },
            }
        ],
    }


def collection(count: int, *more: Any) -> dict[str, Any]:
    """Return a collection of so many calls in folders of fifty, and further items."""
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    items = [item(number) for number in range(count)]
    folders = [
        {"name": f"Part {at // 50}", "item": items[at : at + 50]} for at in range(0, count, 50)
    ]
    return {"info": {"name": "Panel", "schema": schema}, "item": [*folders, *more]}


def written(path: Path, count: int, *more: Any) -> Path:
    """Write such a collection, and return its path."""
    path.write_text(json.dumps(collection(count, *more)))
    return path
