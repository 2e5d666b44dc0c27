"""What can be set, from flags and the environment, as one frozen :class:`Settings`.

A flag ``--some-name`` has the environment variable ``MIGGUARD_SOME_NAME`` beside it; the flag wins. Each field of
:class:`Settings` carries all there is to say about it (help text, how it is read), so that the command line and the
reference page are made from here and cannot say anything else. Nothing below ``runtime`` reads settings.
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from webhook.errors import UsageError

PREFIX = "MIGGUARD_"

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST_DURATION_TEXT = 40
_HIGHEST_PORT = 65535


def duration(text: str) -> float:
    """Read a Go duration (``10s``, ``1m30s``, ``500ms``) or a bare number of seconds; the result is in seconds.

    Raises ValueError if it is neither. Source: Go ``time.ParseDuration``, as the kube-apiserver writes ``timeout``.
    """
    if len(text) > _LONGEST_DURATION_TEXT:
        raise ValueError("is not a duration such as 10s or 1m30s")
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise ValueError("is not a duration such as 10s or 1m30s")
    return sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    """An IP address or host name; ``0.0.0.0`` for all IPv4 interfaces, ``::`` for all interfaces."""
    port: int
    """0 lets the system choose one."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``. Raises ValueError."""
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]]*)):(\d{1,5})", text, re.ASCII)
        if match is None or int(match.group(3)) > _HIGHEST_PORT:
            raise ValueError("is not an address such as 127.0.0.1:8443 or [::1]:8443")
        return cls(match.group(1) or match.group(2) or "0.0.0.0", int(match.group(3)))  # noqa: S104 - asked for by ':PORT'

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be set: all there is to say about a field of Settings."""

    help: str
    metavar: str
    read: Callable[[str], Any] = str
    """From text to value; raises ValueError with the rest of a sentence that begins with the text."""
    separator: str = ""
    """If set, it can be given many times, and this parts the values in the environment variable."""
    name: str = ""
    """The field."""
    default: str = ""
    """In words; empty where there is none to tell."""

    @property
    def flag(self) -> str:
        """Such as ``--health-listen``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Such as ``MIGGUARD_HEALTH_LISTEN``."""
        return PREFIX + self.name.upper()

    def values(self, flags: Sequence[str], environment: Mapping[str, str]) -> Iterator[Any]:
        """Read what was given. Raises UsageError that names the flag or the variable."""
        given, where = list(flags), self.flag
        if not given and environment.get(self.variable):
            where = self.variable
            text = environment[self.variable]
            given = [part for part in text.split(self.separator) if part] if self.separator else [text]
        for text in given:
            try:
                yield self.read(text)
            except ValueError as error:
                raise UsageError(f"'{text}' {error}", where=where) from None


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(text)

    return read


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = duration(text)
        if not least <= seconds <= most:
            raise ValueError(f"is not between {least:g}s and {most:g}s")
        return seconds

    return read


def _choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return text

    return read


def _default_state_dir() -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    return Path(home) / "migguard" if home else Path("run") / "migguard"


_WEBHOOK = Address("127.0.0.1", 8443)
_HEALTH = Address("127.0.0.1", 8081)
_Paths = tuple[Path, ...]
_Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of ``migguard serve``."""

    policies: Annotated[
        _Paths, Entry("Directory or file of policies; can be given many times.", "DIR", Path, os.pathsep)
    ] = ()
    cluster: Annotated[
        _Paths,
        Entry(
            "Take the cluster state from this directory (or file) of manifests instead of an API server; "
            "can be given many times.",
            "DIR",
            Path,
            os.pathsep,
        ),
    ] = ()
    kubeconfig: Annotated[
        Path | None,
        Entry(
            "Watch the cluster of this kubeconfig file. With neither --cluster nor this, the pod's own service account "
            "is used.",
            "FILE",
            Path,
        ),
    ] = None
    context: Annotated[str, Entry("Context of the kubeconfig file; its current one if not given.", "NAME")] = ""
    cluster_name: Annotated[str, Entry("Name of the cluster, put on every audit record.", "NAME")] = ""
    listen: Annotated[
        Address,
        Entry("Where the API server reaches /validate and /mutate, over HTTPS.", "HOST:PORT", Address.parse),
    ] = _WEBHOOK
    health_listen: Annotated[
        Address,
        Entry("Where /healthz, /readyz and /metrics are served, over plain HTTP.", "HOST:PORT", Address.parse),
    ] = _HEALTH
    tls_cert: Annotated[
        Path | None,
        Entry(
            "Serving certificate with its chain, PEM. Watched: a new one is used without a restart. "
            "One is made if not given.",
            "FILE",
            Path,
        ),
    ] = None
    tls_key: Annotated[Path | None, Entry("Private key of the serving certificate, PEM.", "FILE", Path)] = None
    tls_name: Annotated[
        _Names,
        Entry(
            "DNS name or IP address for the certificate that is made, besides localhost and the address listened on; "
            "can be given many times.",
            "NAME",
            separator=",",
        ),
    ] = ()
    client_ca: Annotated[
        Path | None,
        Entry(
            "Ask clients for a certificate of this CA (PEM bundle) and refuse those without one.",
            "FILE",
            Path,
        ),
    ] = None
    client_name: Annotated[
        _Names,
        Entry(
            "Common name that a client's certificate must have; can be given many times. Needs --client-ca.",
            "CN",
            separator=",",
        ),
    ] = ()
    state_dir: Annotated[Path, Entry("Where the certificate that is made is kept.", "DIR", Path)] = field(
        default_factory=_default_state_dir
    )
    audit_log: Annotated[
        Path | None,
        Entry(
            "Append audit records to this file, one JSON object a line. Without it they go to standard output.",
            "FILE",
            Path,
        ),
    ] = None
    audit_sync: Annotated[
        str,
        Entry(
            "'fsync': an audit record is on disk before the answer is sent. 'flush': it is with the operating system, "
            "which loses it if the machine fails.",
            "fsync|flush",
            _choice("fsync", "flush"),
        ),
    ] = "fsync"
    threads: Annotated[int, Entry("Requests worked on at the same time.", "N", _whole(1, 256))] = 32
    max_time: Annotated[
        float,
        Entry(
            "Longest time for one decision, whatever the API server would allow (it allows 30s at most).",
            "DURATION",
            _seconds(0.1, 30),
        ),
    ] = 30.0
    max_staleness: Annotated[
        float,
        Entry(
            "How long cached cluster state is trusted without contact to the API server. At least 60s: where nothing "
            "changes, a healthy API server is heard from only when a watch ends and begins anew, every 30 to 45 s, and "
            "one that is gone is noticed 10 s later.",
            "DURATION",
            _seconds(60, 3600),
        ),
    ] = 120.0
    shutdown_delay: Annotated[
        float,
        Entry(
            "On SIGTERM, go on serving for this long while /readyz already says no, so that a cluster's endpoints can "
            "follow.",
            "DURATION",
            _seconds(0, 300),
        ),
    ] = 0.0
    shutdown_grace: Annotated[
        float, Entry("After that, time for requests that are being answered.", "DURATION", _seconds(1, 300))
    ] = 31.0
    replica: Annotated[str, Entry("Name of this process on audit records; the host name if not given.", "NAME")] = (
        field(default_factory=socket.gethostname)
    )
    log_format: Annotated[
        str,
        Entry(
            "Log lines on standard error: 'json' objects, 'text', or 'auto': text on a terminal, else json.",
            "auto|json|text",
            _choice("auto", "json", "text"),
        ),
    ] = "auto"
    log_level: Annotated[
        str,
        Entry(
            "Least severity that is logged.",
            "debug|info|warning|error",
            _choice("debug", "info", "warning", "error"),
        ),
    ] = "info"

    def __post_init__(self) -> None:
        """Refuse what does not go together. Raises UsageError."""
        if not self.policies:
            raise UsageError("no policies are given", where="--policies", hint="such as --policies policies/")
        if self.cluster and (self.kubeconfig or self.context):
            raise UsageError(
                "a directory of manifests and a kubeconfig are given", where="--cluster", hint="give one of them"
            )
        if self.context and not self.kubeconfig:
            raise UsageError("is given without --kubeconfig", where="--context", hint="add --kubeconfig FILE")
        if (self.tls_cert is None) != (self.tls_key is None):
            missing, given = ("--tls-key", "--tls-cert") if self.tls_key is None else ("--tls-cert", "--tls-key")
            raise UsageError(f"is given without {missing}", where=given, hint="give both, or none to have one made")
        if self.client_name and self.client_ca is None:
            raise UsageError(
                "is given without --client-ca",
                where="--client-name",
                hint="a name says nothing unless a CA vouches for it",
            )


def entries() -> tuple[Entry, ...]:
    """List all settings, in the order of :class:`Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(
        dataclasses.replace(hints[item.name].__metadata__[0], name=item.name, default=_in_words(item.default))
        for item in dataclasses.fields(Settings)
    )


def _in_words(default: object) -> str:
    if default is dataclasses.MISSING or default is None or default == ():
        return ""
    return f"{default:g}s" if isinstance(default, float) else str(default)


def read(flags: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Settings:
    """Make Settings from flags (texts by field name) and environment variables. Raises UsageError."""
    given: dict[str, Any] = {}
    for entry in entries():
        values = tuple(entry.values(flags.get(entry.name, ()), environment))
        if values:
            given[entry.name] = values if entry.separator else values[-1]
    return Settings(**given)
