"""The server process: listeners, certificate, gunicorn's settings, and the order in which things start and stop.

The parent process binds the listeners and loads the certificate, so that what is wrong with them is told before
anything runs; it then only watches over its one worker. The worker starts the runtime after the fork (threads and
connections do not survive one) and serves from as many threads as Settings say. One worker, because each would hold the
whole cache.

A worker that replaces one that crashed goes on with the policies that were in force, if those on disk are broken by
now: the parent process holds them (:mod:`webhook.server.handover`). Only a new server insists on good ones.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Never

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from webhook.certs.authority import ensure
from webhook.certs.files import ServingCertificate, TLSFiles
from webhook.errors import InputError, MigguardError, PolicyError, UsageError
from webhook.runtime import Runtime
from webhook.server.app import create_app
from webhook.server.handover import Handover
from webhook.server.health import Health, HealthServer
from webhook.server.worker import LINGERING, RESERVED, Hooks, Worker
from webhook.settings import Address, Settings

log = logging.getLogger(__name__)

KEEPALIVE_SECONDS = 120
"""An idle connection is kept for longer than the kube-apiserver keeps it (90 s), so that it never sends into one that
we just closed. Source: ``IdleConnTimeout`` of Go's default transport, which client-go uses."""
CERTIFICATE_SECONDS = 1.0
"""How often the certificate's files are looked at."""
OWN_CERTIFICATE_CHECK = timedelta(hours=1)
"""How often it is seen whether the certificate that we made has to be made anew."""

CONNECTIONS = 1000
"""Held at a time; the kube-apiserver needs a few dozen. Beyond that clients wait to be accepted."""
FEWEST_CONNECTIONS = 8
LIMITS = {"limit_request_line": 2048, "limit_request_fields": 50, "limit_request_field_size": 8190}
"""Bytes of the request line, header fields, bytes of one: the kube-apiserver needs under a fifth of each."""

SHARED_MEMORY = next((path for path in [Path("/dev/shm")] if os.access(path, os.W_OK)), None)  # noqa: S108 - unnamed files
"""For unnamed files that parent process and workers share; None where temporary files have to do."""


def serve(settings: Settings) -> Never:
    """Serve until told to stop; ends the process. Raises MigguardError if it cannot begin."""
    certificate, own_names = _certificate(settings)
    listener = bind(settings.listen, "--listen")
    health = bind(settings.health_listen, "--health-listen")
    application = Application(settings, certificate, own_names, listener, health)
    try:
        Supervisor(application).run()
    finally:
        application.close()
    sys.exit(0)


def connections() -> int:
    """Return how many connections can be held at a time: each is an open file, and some are needed for other things.

    Raises the limit as far as the system allows: the soft one is often just 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + LINGERING + RESERVED
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    available = most if soft == resource.RLIM_INFINITY else max(soft, most)
    return max(FEWEST_CONNECTIONS, min(CONNECTIONS, available - LINGERING - RESERVED))


def bind(address: Address, flag: str) -> socket.socket:
    """Return a listening socket. Raises UsageError that names the flag."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
            listener.bind(place)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}: {error.strerror}", where=flag, hint="give another HOST:PORT"
        ) from error
    return listener


def _address(listener: socket.socket) -> Address:
    return Address(*listener.getsockname()[:2])


def _certificate(settings: Settings) -> tuple[ServingCertificate, tuple[str, ...]]:
    """The certificate to serve, and for one that we make ourselves its names."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return ServingCertificate(TLSFiles(settings.tls_cert, settings.tls_key, settings.client_ca)), ()
    names = _own_names(settings)
    files = ensure(settings.state_dir, names, datetime.now(UTC))
    log.info("CA bundle for the webhook configuration: %s", files.ca_bundle)
    return ServingCertificate(TLSFiles(files.certificate, files.key, settings.client_ca)), names


def _own_names(settings: Settings) -> tuple[str, ...]:
    wildcards = {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
    host = () if settings.listen.host in wildcards else (settings.listen.host,)
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", *host, *settings.tls_name)))


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn runs. Made in the parent process; ``load`` and ``unload`` run in the worker."""

    def __init__(
        self,
        settings: Settings,
        certificate: ServingCertificate,
        own_names: tuple[str, ...],
        listener: socket.socket,
        health: socket.socket,
    ) -> None:
        self._settings = settings
        self._certificate = certificate
        self._own_names = own_names
        self._listener = listener
        self._health_listener = health
        self._addresses = _address(listener), _address(health)
        self._handover = Handover(SHARED_MEMORY)
        self._stopping = threading.Event()
        self._running: contextlib.ExitStack | None = None
        self.hooks: Hooks
        super().__init__()

    def close(self) -> None:
        """Let go of what the parent process holds for its workers."""
        self._handover.close()

    def load_config(self) -> None:
        """Set gunicorn up."""
        options = {
            # The socket is handed over: gunicorn closes its own copy of the descriptor.
            "bind": f"fd://{self._listener.detach()}",
            "workers": 1,
            "worker_class": Worker,
            "threads": self._settings.threads,
            "worker_connections": connections(),
            "keepalive": KEEPALIVE_SECONDS,
            "graceful_timeout": int(self._settings.shutdown_delay + self._settings.shutdown_grace + 0.999),
            "certfile": str(self._certificate.files.certificate),
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "logger_class": QuietLogger,
            "worker_exit": lambda _server, _worker: self.unload(),
            "worker_tmp_dir": None if SHARED_MEMORY is None else str(SHARED_MEMORY),
            **LIMITS,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Start the runtime and return the WSGI application; ends the worker with our exit code if that fails."""
        try:
            return self._start()
        except PolicyError as error:
            for problem in error.problems:
                log.error("%s", problem)  # noqa: TRY400 - a user's mistake, not a crash
            sys.exit(Supervisor.APP_LOAD_ERROR)
        except MigguardError as error:
            log.error("%s", error)  # noqa: TRY400 - a user's mistake, not a crash
            usage = isinstance(error, UsageError | InputError)
            sys.exit(Supervisor.APP_LOAD_ERROR if usage else Supervisor.WORKER_BOOT_ERROR)

    def _start(self) -> Any:
        runtime = Runtime(self._settings, keep=self._handover)
        self._running = contextlib.ExitStack()
        self.hooks = Hooks(
            certificate=self._certificate,
            client_names=frozenset(self._settings.client_name),
            reload=runtime.reload_soon,
            drain=runtime.drain,
            shutdown_delay=self._settings.shutdown_delay,
        )
        self._running.callback(runtime.stop)
        runtime.start()
        runtime.metrics.certificate_expires(self._certificate.expires)
        self._running.callback(self._stopping.set)
        threading.Thread(target=self._watch_certificate, args=(runtime,), name="certificate", daemon=True).start()
        health = HealthServer(self._health_listener, Health(runtime.conditions, runtime.metrics.registry))
        self._running.callback(health.stop)
        health.start()
        application = create_app(runtime)
        webhook, others = self._addresses
        log.info("serving /validate and /mutate on https://%s", webhook)
        log.info("serving /healthz, /readyz and /metrics on http://%s", others)
        return application

    def unload(self) -> None:
        """Stop what was started, last first; does nothing in the parent process."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def _watch_certificate(self, runtime: Runtime) -> None:
        problem: InputError | None = None
        looked = datetime.now(UTC)
        while not self._stopping.wait(CERTIFICATE_SECONDS):
            now = datetime.now(UTC)
            if self._own_names and now - looked >= OWN_CERTIFICATE_CHECK:
                looked = now
                self._renew(now)
            if self._certificate.refresh():
                runtime.metrics.certificate_expires(self._certificate.expires)
                log.info("a new certificate is served, valid until %s", self._certificate.expires)
            if self._certificate.problem is not problem:
                problem = self._certificate.problem
                if problem is not None:
                    log.warning("the certificate in use stays: %s", problem)

    def _renew(self, now: datetime) -> None:
        try:
            ensure(self._settings.state_dir, self._own_names, now)
        except MigguardError as error:
            log.warning("the serving certificate cannot be renewed: %s", error)


class Supervisor(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """The parent process: keeps one worker running, and passes signals on."""

    APP_LOAD_ERROR = UsageError.exit_code
    """Exit code of a worker that was given what it cannot use: ends the server with it, instead of trying again."""
    WORKER_BOOT_ERROR = MigguardError.exit_code
    """The same for what is not the user's doing."""

    def handle_hup(self) -> None:
        """Reload policies and certificates, not processes."""
        self.kill_workers(signal.SIGHUP)

    def handle_int(self) -> None:
        """Shut down as for SIGTERM; a second Ctrl-C makes it quick."""
        raise StopIteration

    def handle_ttin(self) -> None:
        """Never more than one worker: a second would hold a second cache and need the same health listener."""

    def handle_ttou(self) -> None:
        """Never fewer than one worker."""

    def handle_usr2(self) -> None:
        """No second parent process."""

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """Stop the worker and end; why it failed to start has been logged by the worker itself."""
        log.debug("stopping", extra={"reason": reason or "asked to"})
        self.stop()
        if exit_status == 0:
            log.info("stopped")
        sys.exit(exit_status)


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log lines go where all others go."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and levels as telemetry set them."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.access_log.propagate = True

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log, but for the line about a worker that ended by our own exit codes: it has said why itself."""
        ours = {Supervisor.APP_LOAD_ERROR, Supervisor.WORKER_BOOT_ERROR}
        if not ("exited with code" in msg and ours & set(args)):
            super().error(msg, *args, **kwargs)
