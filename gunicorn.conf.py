"""The settings of gunicorn, with their reasons; `promobridge serve` and plain gunicorn read them.

What the application is told to do comes from PROMOBRIDGE_* and is described in app/config.py.
Numbers of answers are one code asked for on two cores; tests/bench/README.md has the whole table.
"""

import gc
import os

import calls
from app import logs, metrics_folder
from app.config import from_environment

gc.disable()  # until the first fork: what is loaded stays, and looking for garbage takes 0.08 s

wsgi_app = "wsgi:app"
bind = "127.0.0.1:8080"  # a reverse proxy with TLS belongs in front: keys travel in URLs
worker_class = "gthread"
# One for each core; half as many give 1,540/s, twice as many 2,240 and take half more memory.
workers = os.cpu_count() or 1
# One is as quick, but its slowest hundredth takes 224 ms where four take 10; eight gain nothing.
threads = 4
preload_app = True  # 64 MB for two workers, not 86; and an old schema ends the start
backlog = 1024  # connections the kernel holds while all threads are busy

timeout = 30  # a worker whose loop stands still for so long is replaced
graceful_timeout = 30  # a request that runs when the server stops has so long to end
keepalive = 5  # a kept connection takes twice the calls; idle ones are not collected for long

# The request line is limited in app/reading.py: 10,000 arguments are answered, not cut off.
limit_request_line = 8190  # gunicorn's largest
limit_request_fields = 100  # headers; clients of such an API send ten
limit_request_field_size = 8190  # bytes of one header: a long Referer still fits
http_parser = "python"  # the C parser has a request line limit of its own

forwarder_headers = ""  # nobody may set SCRIPT_NAME or PATH_INFO through a header
secure_scheme_headers = {}  # nothing here depends on the scheme
# X-Forwarded-For is read by the application alone, as far as PROMOBRIDGE_PROXY_COUNT says.

umask = 0o007  # a unix socket is for its owner and group, not for everyone
control_socket_disable = True  # nobody needs it, and it would be one more file that takes commands

logconfig_dict = logs.configuration(from_environment())
# Of a request the path alone, without its query: credentials travel there.
access_log_format = '%(t)s %(h)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms %({x-request-id}o)s'

metrics_folder.make()  # before the application is loaded: prometheus-client looks for it then


def pre_request(worker, req):
    """Log nothing of a request here: method and path may hold a key."""


def pre_fork(server, worker):
    """Load what a worker's first request would, for all workers to share.

    What is frozen no garbage collection looks through: its pages stay shared, and a worker that
    ends does not take it apart.
    """
    calls.registry()
    gc.freeze()
    gc.enable()


def child_exit(server, worker):
    """Take a worker that has ended, however it did, out of the gauges."""
    from app import metrics  # after the folder is there, see above

    metrics.forget(worker.pid)
