"""The WSGI application, found by gunicorn, granian and the flask command."""

import calls
from app import create_app

app = create_app()
calls.registry()  # before workers are forked: they share it, and no first request waits for it
