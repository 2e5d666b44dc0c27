"""The composition root: settings in, a running decision service out.

Builds the parts, starts and stops their threads, and says whether it is ready and why not. It must be started in the
process that serves (after any fork), as it owns threads and connections.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from webhook.admission import failure, pipeline
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.audit.jsonl import JsonLines
from webhook.audit.record import record
from webhook.cluster.manifests import store_from
from webhook.cluster.store import Store
from webhook.errors import AuditError, UsageError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.requester import located
from webhook.kubevirt.resources import RESOURCES
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.policyset import Keep, PolicyHolder, PolicySet
from webhook.recording import basis, keeping
from webhook.settings import Settings
from webhook.telemetry import Metrics, State

if TYPE_CHECKING:
    from webhook.cluster.live import LiveCluster

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 1.0
"""How often policy files and readiness are looked at; what a person who edits a policy will wait for."""
STUCK_SECONDS = 30.0
"""When they were not looked at for this long, it is told: a disk hangs, say."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that readiness depends on."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Where cluster state comes from: manifests, or watches of a live cluster."""

    world: World
    store: Store
    live: LiveCluster | None = None


class Runtime:
    """Decides requests, puts decisions on record, and keeps policies and cluster state fresh.

    Owner: the server's worker process. ``start`` and ``stop`` are called once; the rest is safe from many threads.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        keep: Keep | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Build the parts. Raises MigguardError if policies, manifests, kubeconfig or audit log cannot be used.

        Args:
            settings: What to do.
            keep: Where the policy set in force is left for a process that replaces this one.
            clock: The time.
        """
        self._settings = settings
        self._clock = clock
        self._stopping = threading.Event()
        self._reload_asked = False
        self._follower = threading.Thread(target=self._follow, name="policies", daemon=True)
        self._draining = False
        self._holder = PolicyHolder(settings.policies, CATALOG, keep)
        self._keeping = keeping(self._holder.current)
        self._looked = time.monotonic()
        self._trouble = ""
        self._cluster = _from_manifests(settings) if settings.cluster else _from_api_server(settings)
        self._audit = _audit_log(settings)
        self.metrics = Metrics({str(watched.resource) for watched in RESOURCES})
        self.metrics.watch(self._state)

    def start(self) -> None:
        """Start to follow policies and cluster. Returns at once: see ``conditions`` for when it is ready."""
        if self._cluster.live is not None:
            self._cluster.live.start()
        policies = self._holder.current
        log.info(
            "policies loaded",
            extra={"policies": _count(policies), "revision": policies.revision},
        )
        for notice in policies.notices:
            log.warning(notice)
        log.info("audit records go to %s", self._audit.place)
        self._follower.start()

    def drain(self) -> None:
        """Say no to readiness from now on; requests are still decided."""
        self._draining = True

    def stop(self) -> None:
        """Stop all threads and close the audit log."""
        self._stopping.set()
        if self._follower.is_alive():
            self._follower.join(timeout=5)
        if self._cluster.live is not None:
            self._cluster.live.stop()
        self._audit.close()

    def reload_soon(self) -> None:
        """Load the policies anew within a second, even if no file looks changed."""
        # Called from a signal handler: no lock, not even an Event's, or a second signal in the first could deadlock.
        self._reload_asked = True

    # Deciding

    @property
    def max_time(self) -> float:
        """Seconds that a decision may take at most."""
        return self._settings.max_time

    def decide(self, request: AdmissionRequest, phase: Phase, deadline: Deadline, decision_id: str) -> Decision:
        """Decide a request under the policies in force."""
        return pipeline.decide(
            request,
            phase,
            policies=self._holder.current,
            world=self._cluster.world,
            now=self._clock(),
            deadline=deadline,
            decision_id=decision_id,
        )

    def undecided(self, request: AdmissionRequest, phase: Phase, why: str, decision_id: str) -> Decision:
        """Return what is answered when no decision can be made."""
        policies = self._holder.current
        parameters = located(policies.parameters, self._cluster.world.view)
        decision = failure.undecided(
            request, phase, why, decision_id=decision_id, parameters=parameters, policies=policies
        )
        return replace(decision, revision=policies.revision)

    def record(self, request: AdmissionRequest, phase: Phase, decision: Decision) -> None:
        """Put a decision on record; it is durable when this returns. Raises AuditError if it could not be."""
        written = record(
            request,
            phase,
            decision,
            time=self._clock(),
            replica=self._settings.replica,
            cluster=self._settings.cluster_name,
            basis=basis(self._keeping, self._cluster.world.view, request, decision.revision),
        )
        try:
            self._audit.write(written)
        except AuditError:
            self.metrics.recorded(ok=False)
            raise
        self.metrics.recorded(ok=True)

    # Health

    def conditions(self) -> tuple[Condition, ...]:
        """Everything that must hold for this replica to get requests."""
        return (self._serving_condition(), self._policies_condition(), self._cluster_condition())

    @property
    def ready(self) -> bool:
        """Whether all conditions hold."""
        return all(condition.ok for condition in self.conditions())

    def _serving_condition(self) -> Condition:
        return Condition("serving", not self._draining, "shutting down" if self._draining else "accepting requests")

    def _policies_condition(self) -> Condition:
        policies, problem = self._holder.current, self._holder.problem
        text = f"{_count(policies)} policies in force, revision {policies.revision}"
        if problem is not None:
            text += f"; the files on disk have {len(problem.problems)} problem(s), first: {problem.problems[0]}"
        silent = time.monotonic() - self._looked
        if silent > STUCK_SECONDS:
            text += f"; stuck: the files on disk were last looked at {silent:.0f} s ago"
        if self._trouble:
            text += f"; looking at the files on disk failed, see the log: {self._trouble}"
        return Condition("policies", True, text)

    def _cluster_condition(self) -> Condition:
        store, live = self._cluster.store, self._cluster.live
        objects = sum(store.counts().values())
        if live is None:
            return Condition("cluster", True, f"{objects} objects from manifests")
        waiting = [watched for watched in store.resources if not store.synced(watched)]
        problems = live.problems()
        trouble = f"{problems[0]}" + f" (and {len(problems) - 1} more)" * (len(problems) > 1) if problems else ""
        if waiting:
            return Condition("cluster", False, trouble or f"{len(waiting)} resources are not listed yet")
        # What is stale later turns into facts that are not available, and is answered request by request: without any
        # ready replica the API server would refuse everyone, drains too.
        return Condition("cluster", True, f"{objects} objects cached" + (f"; trouble: {trouble}" if trouble else ""))

    def _state(self) -> State:
        policies, store = self._holder.current, self._cluster.store
        staleness: Mapping[str, float] = {}
        if self._cluster.live is not None:
            silent = {str(watched.resource): store.staleness(watched) for watched in store.resources}
            staleness = {resource: seconds for resource, seconds in silent.items() if seconds is not None}
        return State(
            revision=policies.revision,
            policies=_count(policies),
            policy_problem=self._holder.problem is not None or bool(self._trouble),
            policies_looked_at=time.time() - (time.monotonic() - self._looked),
            cache_objects=store.counts(),
            cache_staleness=staleness,
        )

    # Following

    def _follow(self) -> None:
        """Look after policies and readiness until the end."""
        was_ready: bool | None = None
        while True:
            was_ready = self._tell_readiness(was_ready)
            if self._stopping.wait(FOLLOW_SECONDS):
                return
            self._look()

    def _tell_readiness(self, was_ready: bool | None) -> bool:
        blocking = [f"{one.name}: {one.message}" for one in self.conditions() if not one.ok]
        if was_ready != (not blocking):
            log.info("not ready" if blocking else "ready", extra={"reasons": blocking} if blocking else None)
        return not blocking

    def _look(self) -> None:
        """Reload policies when they changed or when asked to."""
        asked, self._reload_asked = self._reload_asked, False
        try:
            if asked or self._holder.changed():
                self._reload()
                self._trouble = ""
        except Exception as error:
            # A bug, or no memory. The set in force is good, and without this thread no edit would ever count again.
            if type(error).__name__ != self._trouble:
                log.exception("looking at the policies on disk failed, the last good policy set stays in force")
            self._trouble = type(error).__name__
            self._reload_asked = True  # the next look tries again, and clears the trouble if it succeeds
            self.metrics.reloaded(ok=False)
        self._looked = time.monotonic()

    def _reload(self) -> None:
        swapped = self._holder.reload()
        problem = self._holder.problem
        self.metrics.reloaded(ok=problem is None)
        if swapped:
            policies = self._holder.current
            self._keeping = keeping(policies)
            log.info("policies reloaded", extra={"policies": _count(policies), "revision": policies.revision})


def _count(policies: PolicySet) -> int:
    """How many policies; one with several bindings counts once."""
    return len({policy.name for policy in policies.policies})


def _audit_log(settings: Settings) -> JsonLines:
    try:
        return JsonLines(settings.audit_log, sync=settings.audit_sync == "fsync")
    except AuditError as error:
        # Later it is a disk that failed; now it is a place that was never good.
        raise UsageError(error.message, where=error.where, hint=error.hint) from error


def _from_manifests(settings: Settings) -> _Cluster:
    store, ignored = store_from(settings.cluster, RESOURCES)
    places = ", ".join(str(path) for path in settings.cluster)
    log.info("cluster state: %d objects from %s", sum(store.counts().values()), places)
    if ignored:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(ignored.items()))
        log.info("left out of the cluster state, as no fact needs them: %s", kinds)
    return _Cluster(World(store, RBACAuthorizer(store), None), store)


def _from_api_server(settings: Settings) -> _Cluster:
    # Imported here because the kubernetes client costs half a second and 35 MB, which --cluster DIR has no need of.
    from webhook.cluster.access import SubjectAccessReviewAuthorizer  # noqa: PLC0415 - see above
    from webhook.cluster.client import connect  # noqa: PLC0415 - see above
    from webhook.cluster.live import LiveCluster  # noqa: PLC0415 - see above

    client = connect(settings.kubeconfig, settings.context or None)
    store = Store(RESOURCES, max_staleness=settings.max_staleness)
    live = LiveCluster(client, RESOURCES, store)
    log.info("cluster state: watched at the API server")
    return _Cluster(World(store, SubjectAccessReviewAuthorizer(client), live), store, live)
