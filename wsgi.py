"""The WSGI application, found by gunicorn and by the flask command."""

from app import create_app

app = create_app()
