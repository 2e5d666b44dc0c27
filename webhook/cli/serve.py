"""``migguard serve``: the webhook server. Its flags are made from :mod:`webhook.settings`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from webhook import settings
from webhook.server.gunicorn import serve
from webhook.telemetry import configure_logging

_HELP = """Serve the webhook over HTTPS.

The cluster's state comes from manifests (--cluster DIR), from the cluster of a kubeconfig file (--kubeconfig FILE), or
by default from the cluster that the pod runs in.

Each flag can be set by an environment variable too: --tls-cert by MIGGUARD_TLS_CERT, and so on; the flag wins. SIGHUP
loads the policies anew (which also happens by itself within a second of a change), SIGTERM drains and stops.

\b
  migguard serve --policies policies/ --cluster examples/cluster
  migguard serve --policies /etc/migguard/policies --listen :8443 \\
      --tls-cert /tls/tls.crt --tls-key /tls/tls.key --audit-log /audit/audit.jsonl
"""


def _option(entry: settings.Entry) -> click.Option:
    text = f"{entry.help} [{entry.default}]" if entry.default else entry.help
    return click.Option([entry.flag, entry.name], multiple=True, metavar=entry.metavar, help=text)


def _serve(**flags: Any) -> None:
    given: dict[str, Sequence[str]] = flags
    chosen = settings.read(given, os.environ)
    configure_logging(chosen.log_format, chosen.log_level)
    serve(chosen)


command = click.Command(
    "serve",
    callback=_serve,
    params=[_option(entry) for entry in settings.entries()],
    help=_HELP,
    short_help="Serve the webhook.",
)
