"""The fixed body: how fast this server answers when nothing has to be made."""

import os

from flask import Flask, Response

BODY = b"x" * int(os.environ["FIXED_BODY_BYTES"])
app = Flask(__name__, static_folder=None)


@app.get("/admin/api.php")
def fixed() -> Response:
    """Return the same bytes to everyone."""
    return Response(BODY, content_type="application/json; charset=UTF-8")
