"""One manifest after another, each as the request that the API server would send of it.

That is CREATE where the cluster has no such object, else UPDATE. What is let through is there for those that follow;
what is refused is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webhook.errors import Problem
from webhook.impact.checking.applying import Applied, applied, defaulted
from webhook.impact.checking.gitfiles import Manifest
from webhook.impact.checking.ground import Ground, Standing, Unknown, resource_of
from webhook.impact.checking.unknown import ANYBODY, NO_CLUSTER, NO_USER, for_anybody, without_cluster
from webhook.impact.checking.verdict import Verdict
from webhook.impact.policyrules import rule_of
from webhook.impact.unasked import NobodyAsks
from webhook.impact.vm.membership import doubt
from webhook.model.decision import Result
from webhook.model.objects import JSON, GroupVersionResource, Object, ObjectRef, mapping, name_of, namespace_of, text
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.offline.admit import admit
from webhook.offline.request import RequestError, request_of
from webhook.offline.tracing.factsource import FactSources
from webhook.output.finding import Examined
from webhook.policy.document import MatchResources
from webhook.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the manifests are applied."""

    user: UserInfo | None = None
    """None: it is not told."""
    operation: Operation | None = None
    """None: CREATE or UPDATE, as the cluster's state has it."""
    namespace: str = "default"
    """Of objects that name none."""
    verbose: bool = False
    """List what is left out, each with its reason."""
    warning_exit_code: int = 0


@dataclass(frozen=True, slots=True)
class _Placed:
    """A manifest where it is applied."""

    manifest: Manifest
    resource: GroupVersionResource
    namespace: str
    """Empty if it has none."""
    object: Object
    """With the namespace filled in."""

    def __str__(self) -> str:
        return called(self.object, self.namespace)


class Run:
    """Judges one manifest after another. Used once, by one thread."""

    def __init__(self, policies: PolicySet, ground: Ground, asked: Asked, now: datetime) -> None:
        """Take the policies, and the cluster that the manifests are applied to, which changes by that."""
        known = policies if ground.known else without_cluster(policies)
        self._policies = known if asked.user else for_anybody(known)
        self._ground = ground
        self._world = ground.world if asked.user else replace(ground.world, authorizer=NobodyAsks(NO_USER))
        self._asked = asked
        self._now = now
        self._severities = {one.name: rule_of(one.document).severity for one in policies.policies}
        self._unreadable = ground.unreadable()
        self.problems: list[Problem] = []
        self.fields_left_out = False
        """Whether it was assumed that fields stay which a manifest leaves out."""

    def apply(self, manifest: Manifest) -> None:
        """Let an object that no policy is about be there (or not) for those that follow."""
        placed = self._placed(manifest)
        if self._asked.operation is Operation.DELETE:
            self._ground.delete(placed.resource, placed.namespace, placed.object)
        else:
            self._ground.apply(placed.resource, placed.namespace, placed.object, placed.object)

    def judge(self, manifest: Manifest) -> Examined | None:
        """Judge one manifest, and apply it; None if no request comes of it, which is a problem. Raises ClusterError."""
        placed = self._placed(manifest)
        if not name_of(placed.object) and not text(placed.object, "metadata", "generateName"):
            message = f"{text(placed.object, 'kind')} has no metadata.name"
            self.problems.append(Problem(str(manifest.place), message, "every object needs a name to be applied"))
            return None
        found = self._ground.existing(placed.resource, placed.namespace, placed.object)
        operation = self._asked.operation or (Operation.UPDATE if isinstance(found, Standing) else Operation.CREATE)
        untold = self._untold(operation, placed.resource, found.why) if isinstance(found, Unknown) else ""
        if isinstance(found, Unknown):
            found = Standing(placed.object) if operation is Operation.DELETE else None
        if found is None and operation is not Operation.CREATE:
            absent = f"there is no such object in the cluster, so there is nothing to {operation.lower()}"
            return Examined(subject=str(placed), place=manifest.place, skipped=untold or absent)
        try:
            verdict = self._verdict(placed, operation, found)
        except RequestError as error:
            self.problems.append(Problem(str(manifest.place), error.message, error.hint))
            return None
        self._follow(placed, verdict)
        return replace(verdict, notes=tuple(filter(None, (untold, self._doubt(verdict))))).examined()

    def _placed(self, manifest: Manifest) -> _Placed:
        resource, namespaced = resource_of(manifest.object)
        namespace = (namespace_of(manifest.object) or self._asked.namespace) if namespaced else ""
        stated = {key: item for key, item in mapping(manifest.object, "metadata").items() if key != "namespace"}
        metadata = {**stated, **({"namespace": namespace} if namespace else {})}
        return _Placed(manifest, resource, namespace, defaulted({**manifest.object, "metadata": metadata}))

    def _verdict(self, placed: _Placed, operation: Operation, found: Standing | None) -> Verdict:
        if found is None or operation is not Operation.UPDATE:
            request = self._request(placed, operation, placed.object, found)
            return replace(self._judged(placed, request), unjudged=self._unjudged(operation, placed.resource))
        made: Applied = applied(placed.object, found.rest or found.object, found.last)
        verdict = self._judged(placed, self._request(placed, operation, made.object, found))
        if made.replaced is None:
            return verdict
        self.fields_left_out = True
        replaced = self._judged(placed, self._request(placed, operation, made.replaced, found))
        return replace(verdict, replaced=replaced, left=made.left)

    def _request(self, placed: _Placed, operation: Operation, obj: Object, found: Standing | None) -> AdmissionRequest:
        case: dict[str, JSON] = {"operation": str(operation), "resource": placed.resource.resource}
        if operation is not Operation.DELETE:
            case["object"] = obj
        if operation is not Operation.CREATE and found is not None:
            case["oldObject"] = found.object
        return replace(request_of(case, uid="check"), user=self._asked.user or ANYBODY)

    def _judged(self, placed: _Placed, request: AdmissionRequest) -> Verdict:
        return Verdict(
            manifest=placed.manifest,
            request=request,
            outcome=admit(request, policies=self._policies, world=self._world, now=self._now),
            severities=self._severities,
            unreadable=self._unreadable,
        )

    def _follow(self, placed: _Placed, verdict: Verdict) -> None:
        """Let what was let through be there for those that follow."""
        outcome = verdict.outcome
        if outcome.last.allowed and verdict.request.operation is Operation.DELETE:
            self._ground.delete(placed.resource, placed.namespace, placed.object)
        elif outcome.last.allowed and outcome.object is not None:
            self._ground.apply(placed.resource, placed.namespace, outcome.object, placed.object)

    def _doubt(self, verdict: Verdict) -> str:
        """Say why a refusal may not hold for a user whose groups nobody told; empty where it does."""
        if verdict.outcome.last.allowed or self._asked.user is None:
            return ""
        refusing = (one for one in verdict.outcome.evaluations if one.result is Result.FAIL)
        sources = FactSources(self._policies, self._world, self._now)
        context = sources.context(verdict.request, self._world.view)
        return doubt((name for one in refusing for name in one.facts_read), context, self._policies)

    def _untold(self, operation: Operation, resource: GroupVersionResource, why: str) -> str:
        """Say what cannot be told as nobody could look whether the object is there; empty if that is nothing."""
        if not self._ground.known:  # then it is nothing special, see _unjudged
            return ""
        if operation is Operation.DELETE:
            return f"taken to be in the cluster as the manifest has it, as {why}"
        updating = _covering(self._policies, Operation.UPDATE, resource)
        if self._asked.operation is Operation.CREATE or not updating:
            return ""
        judged = "judged as a CREATE; " if operation is Operation.CREATE else ""
        return f"{judged}what an UPDATE would meet cannot be told, as {why}: {', '.join(updating)}"

    def _unjudged(self, operation: Operation, resource: GroupVersionResource) -> Mapping[str, Sequence[str]]:
        """By reason, the policies about nothing but what is there already, where nobody knows what is."""
        if self._ground.known or self._asked.operation is not None:
            return {}
        creating = _covering(self._policies, operation, resource)
        only = [name for name in _covering(self._policies, Operation.UPDATE, resource) if name not in creating]
        return {NO_CLUSTER: only} if only else {}


def _covering(policies: PolicySet, operation: Operation, resource: GroupVersionResource) -> list[str]:
    """The names of the policies that are about such requests."""
    found = {one.name for one in policies.policies if is_about(one.document.match, resource, operation)}
    return sorted(found)


def is_about(match: MatchResources, resource: GroupVersionResource, operation: Operation | None = None) -> bool:
    """Say whether rules cover objects of a resource, by one operation or by any."""
    wanted = frozenset({"*", operation}) if operation else frozenset(Operation) | {"*"}
    return any(
        {"*", resource.group} & set(rule.groups)
        and {"*", "*/*", resource.resource} & set(rule.resources)
        and wanted & set(rule.operations)
        for rule in match.rules
    )


def called(obj: Object, namespace: str = "") -> str:
    """Return what to call an object."""
    return str(ObjectRef(text(obj, "kind"), namespace or namespace_of(obj), name_of(obj)))
