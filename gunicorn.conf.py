"""The settings of gunicorn, with their reasons; `promobridge serve` and plain gunicorn read them.

What the application is told to do comes from PROMOBRIDGE_* and is described in app/config.py.
"""

import os
import re

from gunicorn.http import message

from app import logs, metrics_folder
from app.config import from_environment

wsgi_app = "wsgi:app"
bind = "127.0.0.1:8080"  # a reverse proxy with TLS belongs in front: keys travel in URLs
worker_class = "gthread"  # keeps connections, and a slow client holds a thread, not a process
workers = os.cpu_count() or 1
# With one, a slow call keeps all others of its process waiting. A setting of ours, for what
# forwards to a panel has to leave half of them free.
threads = from_environment().threads
preload_app = True  # 42 MB for two workers, not 63; and an old schema ends the start
backlog = 1024  # connections the kernel holds while all threads are busy

timeout = 30  # a worker whose loop stands still for so long is replaced
graceful_timeout = 30  # a request that runs when the server stops has so long to end
keepalive = 5  # longer than a proxy keeps an idle connection, so that the proxy closes it first

limit_request_line = 8190  # gunicorn's largest; what is longer belongs into a body
http_parser = "python"  # the C parser knows no exception for raw bytes
# Clients of PHP pages send raw UTF-8 and Latin-1 in query strings, and those pages took it. There
# is no setting for it. Paths stay strict: a proxy may have read such a one differently.
message.RFC9112_TARGET_INVALID = re.compile(r"[^\x21-\x7e\x80-\xff]|^[^?]*[\x80-\xff]")

forwarder_headers = ""  # nobody may set SCRIPT_NAME or PATH_INFO through a header
secure_scheme_headers = {}  # app/proxy.py reads the scheme, on any server

umask = 0o007  # a unix socket is for its owner and group, not for everyone
control_socket_disable = True  # nobody needs it, and it would be one more file that takes commands

logconfig_dict = logs.configuration(from_environment())
# Of a request the path alone, without its query: credentials travel there.
access_log_format = '%(t)s %(h)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms %({x-request-id}o)s'

metrics_folder.make()  # before the application is loaded: prometheus-client looks for it then


def pre_request(worker, req):
    """Log nothing of a request here: method and path may hold a key."""


def child_exit(server, worker):
    """Remove a worker that has ended from the gauges."""
    from app import metrics  # after the folder is there, see above

    metrics.forget(worker.pid)
