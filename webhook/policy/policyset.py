"""The immutable policy set in force, and its atomic replacement that keeps the last good one."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from webhook.errors import InputError, PolicyError, UsageError
from webhook.model.facts import FactCatalog
from webhook.policy import loader
from webhook.policy.compiled import CompiledPolicy, compile_policies
from webhook.policy.document import Documents, Exemption
from webhook.policy.spelling import nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """All that decides, at one moment. A request is judged by one of these from start to end."""

    revision: str
    """``sha256:…`` over the content of all files: the same files give the same revision, wherever they lie."""
    policies: tuple[CompiledPolicy, ...] = field(repr=False)
    """In order of name, then binding."""
    exemptions: tuple[Exemption, ...] = field(repr=False)
    parameters: Mapping[str, Any] = field(repr=False)
    """The ``spec`` of Parameters with every default filled in."""
    catalog: FactCatalog = field(repr=False)
    """The facts that its policies were compiled against."""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The content of the files it was made from, by their paths."""
    notices: tuple[str, ...] = ()
    """What is not wrong but should be known, such as an exemption that has run out."""


class Keep(Protocol):
    """What outlives the process that loaded the policies, so that its replacement can go on where it was."""

    def found(self) -> bytes | None:
        """Return what was left last, or None."""

    def leave(self, content: bytes) -> None:
        """Replace it. Raises OSError if that fails."""


def load(paths: Sequence[Path], catalog: FactCatalog, *, now: datetime | None = None) -> PolicySet:
    """Read and compile the policies below these paths. Raises PolicyError with every problem found."""
    moment = now or datetime.now(UTC)
    return _compiled(loader.load(paths, now=moment), catalog, moment)


def only(policies: PolicySet, names: Iterable[str]) -> PolicySet:
    """Return a set with just these policies; with all, if none is named. Raises UsageError for an unknown one."""
    wanted = frozenset(names)
    known = [policy.name for policy in policies.policies]
    for name in sorted(wanted - set(known)):
        raise UsageError(f"there is no policy '{name}'", hint=nearest(name, known) or f"there are {len(set(known))}")
    if not wanted:
        return policies
    return replace(policies, policies=tuple(policy for policy in policies.policies if policy.name in wanted))


def _compiled(documents: Documents, catalog: FactCatalog, moment: datetime) -> PolicySet:
    policies, problems = compile_policies(documents, catalog)
    if problems:
        raise PolicyError(problems)
    notices = tuple(
        f"{exemption.document.where()}: exemption '{exemption.name}' (owner {exemption.owner}) ran out on "
        f"{exemption.expires:%Y-%m-%d} and no longer applies"
        for exemption in documents.exemptions
        if exemption.expires <= moment
    )
    return PolicySet(
        revision=f"sha256:{documents.digest[:16]}",
        policies=policies,
        exemptions=documents.exemptions,
        parameters=documents.parameters,
        catalog=catalog,
        texts=documents.texts,
        notices=notices,
    )


class PolicyHolder:
    """Holds the policy set in force. ``current`` may be read from any thread; ``reload`` runs in one at a time.

    The first load must succeed (the constructor raises PolicyError); later ones that fail leave the last good set in
    force and are kept in ``problem`` until a good one comes. With a ``keep`` that holds also across a crash: each good
    set is left there, and where it holds one already, the first load may fail.
    """

    def __init__(self, paths: Sequence[Path], catalog: FactCatalog, keep: Keep | None = None) -> None:
        self._paths = tuple(paths)
        self._catalog = catalog
        self._keep = keep
        self._lock = threading.Lock()
        self._tried = self._fingerprint()
        self.problem: PolicyError | None = None
        self._current = self._first()
        self.loaded_at = datetime.now(UTC)

    @property
    def current(self) -> PolicySet:
        """The set in force; take it once per request."""
        return self._current

    def changed(self) -> bool:
        """Say whether the files differ from what was last tried, by name, time and size."""
        return self._fingerprint() != self._tried

    def reload(self) -> bool:
        """Load anew; True if another set is in force now."""
        with self._lock:
            self._tried = self._fingerprint()
            try:
                loaded = load(self._paths, self._catalog)
            except PolicyError as error:
                self.problem = error
                log.error(  # noqa: TRY400 - a user's mistake, not a crash: the problems say it, a traceback would not
                    "policy reload failed, the last good policy set stays in force",
                    extra={"revision": self._current.revision, "problems": [str(one) for one in error.problems]},
                )
                return False
            if self._fingerprint() != self._tried:  # files changed while they were read: never put a mixture in force
                self._tried = ()
                return False
            self.problem = None
            swapped = loaded.revision != self._current.revision
            self._current = loaded
            self.loaded_at = datetime.now(UTC)
            if swapped:
                self._leave(loaded)
            return swapped

    def _first(self) -> PolicySet:
        try:
            loaded = load(self._paths, self._catalog)
        except PolicyError as error:
            kept = self._kept()
            if kept is None:
                raise
            self.problem = error
            log.error(  # noqa: TRY400 - as in reload
                "the policies on disk cannot be loaded, the policy set of the process that this one replaces stays in "
                "force",
                extra={"revision": kept.revision, "problems": [str(one) for one in error.problems]},
            )
            return kept
        self._leave(loaded)
        return loaded

    def _kept(self) -> PolicySet | None:
        content = self._keep.found() if self._keep is not None else None
        if content is None:
            return None
        moment = datetime.now(UTC)
        return _compiled(loader.load_texts(json.loads(content), now=moment), self._catalog, moment)

    def _leave(self, policies: PolicySet) -> None:
        if self._keep is None:
            return
        try:
            self._keep.leave(json.dumps(dict(policies.texts)).encode())
        except OSError as error:
            log.error(  # noqa: TRY400 - a full disk, say
                "the policy set cannot be kept: until this is mended, a process that has to replace this one will need "
                "good policies on disk",
                extra={"revision": policies.revision, "reason": error.strerror},
            )

    def _fingerprint(self) -> tuple[tuple[str, int, int, int], ...]:
        """Cheap sign of change: a ConfigMap update shows as another inode behind the same names."""
        try:
            files = loader.policy_files(self._paths)
            stats = [(str(path), path.stat()) for path in files]
        except (InputError, OSError):
            return ()
        return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
