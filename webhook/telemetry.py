"""Metrics and logs.

Metrics live in a registry of their own, follow Prometheus' naming (base units, ``_total``, ``_timestamp_seconds``), and
have bounded labels only: never a user, a namespace or an object's name. What is a state rather than an event is read at
scrape time. Logs are one JSON object a line (or text for a terminal) on standard error, with secrets taken out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webhook.model.decision import Decision
from webhook.model.request import AdmissionRequest, Phase

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from a decision out of warm caches to the longest time a webhook call may take."""

_ORIGINS = frozenset({"User", "VirtAPI", "Drain", "WorkloadUpdate", "Operator", "OtherSystem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is so now, read at every scrape."""

    revision: str = ""
    """Identity of the policy set in force; empty before the first is loaded."""
    policies: int = 0
    policy_problem: bool = False
    """The policies on disk cannot be loaded; an older set is in force."""
    policies_looked_at: float = 0.0
    """When the policies on disk were last looked at, in seconds since 1970."""
    cache_objects: Mapping[str, int] = field(default_factory=dict)
    cache_staleness: Mapping[str, float] = field(default_factory=dict)


class Metrics:
    """Every metric of migguard. Safe to use from many threads."""

    def __init__(self, resources: Collection[str] = ()) -> None:
        """Make the metrics.

        Args:
            resources: Values of the label ``resource`` (``virtualmachines.kubevirt.io``); all else is ``other``.
        """
        # Without this each counter has a second series with its time of creation, which nothing reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library types only some functions
        self.registry = CollectorRegistry(auto_describe=True)
        self._resources = frozenset(resources)
        self._decisions = Counter(
            "migguard_decisions",
            "Decisions, by what was asked and what was answered (allowed, warned, mutated, denied).",
            ["phase", "operation", "resource", "origin", "result", "dry_run"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "migguard_decision_seconds",
            "Time to decide, in seconds.",
            ["phase"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._results = Counter(
            "migguard_policy_results",
            "Results of policies that matched a request (pass, fail, error, skip).",
            ["policy", "result"],
            registry=self.registry,
        )
        self._reloads = Counter(
            "migguard_policy_reload", "Times the policies on disk were read anew.", ["result"], registry=self.registry
        )
        self._certificate = Gauge(
            "migguard_certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in seconds since 1970.",
            registry=self.registry,
        )
        self._records = Counter("migguard_audit_records", "Audit records written.", registry=self.registry)
        self._failures = Counter(
            "migguard_audit_failures", "Audit records that could not be written.", registry=self.registry
        )
        self._errors = Counter(
            "migguard_review_errors",
            "Requests that were not reviews we can judge, by HTTP status.",
            ["status"],
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def decided(self, request: AdmissionRequest, phase: Phase, decision: Decision) -> None:
        """Count a decision and the results of its policies."""
        resource = str(request.resource)
        self._decisions.labels(
            phase=phase.value,
            operation=request.operation.value,
            resource=resource if resource in self._resources else "other",
            origin=decision.origin if decision.origin in _ORIGINS else "unknown",
            result=_result(decision),
            dry_run=str(request.dry_run).lower(),
        ).inc()
        self._seconds.labels(phase=phase.value).observe(decision.seconds.get("total", 0.0))
        for evaluation in decision.evaluations:
            self._results.labels(policy=evaluation.policy, result=evaluation.result.value).inc()

    def reloaded(self, *, ok: bool) -> None:
        """Count an attempt to load the policies anew."""
        self._reloads.labels(result="success" if ok else "error").inc()

    def recorded(self, *, ok: bool) -> None:
        """Count an audit record, written or lost."""
        (self._records if ok else self._failures).inc()

    def refused(self, status: int) -> None:
        """Count a request that was not a review we can judge."""
        self._errors.labels(status=str(status)).inc()

    def certificate_expires(self, at: datetime) -> None:
        """Tell when the serving certificate expires."""
        self._certificate.set(at.timestamp())

    def watch(self, state: Callable[[], State]) -> None:
        """Read this at every scrape."""
        self.registry.register(_StateCollector(state))


def _result(decision: Decision) -> str:
    if not decision.allowed:
        return "denied"
    if decision.patch:
        return "mutated"
    return "warned" if decision.warnings else "allowed"


class _StateCollector(Collector):
    """Metrics of what is so at the moment of the scrape."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def describe(self) -> Iterable[Metric]:
        return _state_metrics(State())

    def collect(self) -> Iterable[Metric]:
        return _state_metrics(self._state())


def _state_metrics(state: State) -> Iterable[Metric]:
    revision = GaugeMetricFamily(
        "migguard_policy_set_info", "The policy set in force, by its content digest; always 1.", labels=["revision"]
    )
    if state.revision:
        revision.add_metric([state.revision], 1)
    yield revision
    yield GaugeMetricFamily("migguard_policies_loaded", "Policies in force.", value=state.policies)
    yield GaugeMetricFamily(
        "migguard_policy_problem",
        "1 if the policies on disk cannot be loaded and an older set is in force.",
        value=int(state.policy_problem),
    )
    yield GaugeMetricFamily(
        "migguard_policy_check_timestamp_seconds",
        "When the policies on disk were last looked at (every second, if all is well), in seconds since 1970.",
        value=state.policies_looked_at,
    )
    objects = GaugeMetricFamily("migguard_cache_objects", "Objects in the cache.", labels=["resource"])
    for resource, count in state.cache_objects.items():
        objects.add_metric([resource], count)
    yield objects
    staleness = GaugeMetricFamily(
        "migguard_cache_staleness_seconds",
        "Seconds since the watch of a resource last heard from the API server.",
        labels=["resource"],
    )
    for resource, seconds in state.cache_staleness.items():
        staleness.add_metric([resource], seconds)
    yield staleness


# Logs

_SECRETS = (
    re.compile(r"""(?i)\b(authorization["']?\s*[:=]\s*["']?)(?:(?:bearer|basic|digest|negotiate)\s+)?[^\s"',}]+"""),
    re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"""(?i)\b((?:access_|id_|refresh_)?(?:token|password|client-key-data)["']?\s*[:=]\s*["']?)[^\s"',}&]+"""
    ),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)
"""Authorization headers, tokens by name, JSON Web Tokens and private keys; the first group is kept."""

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def redact(text: str) -> str:
    """Take secrets out of a text that is about to be logged."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[redacted]", text)
    return text


def _extras(record: logging.LogRecord) -> dict[str, object]:
    """What was given as ``extra``, without secrets; lists stay lists."""
    return {name: _safe(value) for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _safe(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [redact(str(item)) for item in value]
    return redact(str(value))


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what was given as ``extra``, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **_extras(record),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """``migguard: message (name: value)``, for a terminal; from warnings on with the severity, lists on lines below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        extras = _extras(record)
        severity = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        text = f"migguard: {severity}{redact(record.getMessage())}"
        scalars = ", ".join(f"{name}: {value}" for name, value in extras.items() if not isinstance(value, list))
        if scalars:
            text += f" ({scalars})"
        below = [f"  {item}" for value in extras.values() if isinstance(value, list) for item in value]
        if record.exc_info:
            below.append(redact(self.formatException(record.exc_info)))
        return "\n".join([text, *below])


def configure_logging(form: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs to standard error; ``form`` is ``json``, ``text``, or ``auto`` for text on a terminal."""
    target = sys.stderr if stream is None else stream
    as_text = form == "text" or (form == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter() if as_text else JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries are heard from warnings on: their INFO is about themselves.
    for name in ("gunicorn.error", "kubernetes", "urllib3", "werkzeug"):
        logging.getLogger(name).setLevel("DEBUG" if level == "debug" else "WARNING")
