"""Judges manifests from a Git repository as if they were applied, one after another.

Each becomes the request that the API server would send: CREATE where the cluster has no such object, else UPDATE. What
is let through is there for those that follow; what is refused is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from webhook.errors import Problem, UsageError
from webhook.impact.checking.applying import applied, defaulted, rank
from webhook.impact.checking.gitfiles import Found, Manifest
from webhook.impact.checking.ground import KINDS, Ground, type_of
from webhook.impact.checking.unknown import ANYBODY, NobodyNamed, for_anybody, without_cluster
from webhook.impact.checking.verdict import Verdict, rule_of
from webhook.model.objects import JSON, GroupVersionResource, Object, ObjectRef, mapping, name_of, namespace_of, text
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.offline.admit import admit
from webhook.offline.request import RequestError, request_of
from webhook.output.finding import Examined, Report
from webhook.policy.document import MatchResources
from webhook.policy.policyset import PolicySet

_NO_POLICY = "no policy is about objects of this kind"


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


def check(found: Found, policies: PolicySet, ground: Ground, asked: Asked, now: datetime) -> Report:
    """Judge all manifests. Raises UsageError where the operation cannot be, and ClusterError."""
    if asked.operation is Operation.UPDATE and not ground.known:
        raise UsageError(
            "an UPDATE needs the object as it is in the cluster", hint="give --cluster DIR, or leave out --operation"
        )
    run = _Run(policies, ground, asked, now)
    judged: dict[Manifest, Examined] = {}
    for manifest in sorted(found.manifests, key=_rank):
        if not _is_wanted(policies, manifest.object):
            run.apply(manifest)
        elif (one := run.judge(manifest)) is not None:
            judged[manifest] = one
    examined = [judged[manifest] for manifest in found.manifests if manifest in judged]
    left_out = [*_left_out(found, policies)]
    return Report(
        command="check",
        rules=tuple({policy.name: rule_of(policy.document) for policy in policies.policies}.values()),
        examined=(*examined, *(left_out if asked.verbose else ())),
        revision=policies.revision,
        settings=_settings(ground, asked),
        left_out=dict(sorted(Counter(one.skipped for one in left_out).items())),
        problems=(*found.problems, *run.problems),
        warning_exit_code=asked.warning_exit_code,
    )


class _Run:
    """Judges one manifest after another. Used once, by one thread."""

    def __init__(self, policies: PolicySet, ground: Ground, asked: Asked, now: datetime) -> None:
        known = policies if ground.known else without_cluster(policies)
        self._policies = known if asked.user else for_anybody(known)
        self._ground = ground
        self._world = ground.world if asked.user else replace(ground.world, authorizer=NobodyNamed())
        self._asked = asked
        self._now = now
        self._severities = {one.name: rule_of(one.document).severity for one in policies.policies}
        self._unreadable = ground.unreadable()
        self.problems: list[Problem] = []

    def apply(self, manifest: Manifest) -> None:
        """Let an object that no policy is about be there (or not) for those that follow."""
        resource, namespace, obj = self._placed(manifest)
        if self._asked.operation is Operation.DELETE:
            self._ground.delete(resource, namespace, obj)
        else:
            self._ground.apply(resource, namespace, obj)

    def judge(self, manifest: Manifest) -> Examined | None:
        """Judge one manifest, and apply it; None if no request comes of it, which is a problem."""
        resource, namespace, obj = self._placed(manifest)
        if not name_of(obj) and not text(obj, "metadata", "generateName"):
            message = f"{text(obj, 'kind')} has no metadata.name"
            self.problems.append(Problem(str(manifest.place), message, "every object needs a name to be applied"))
            return None
        old = self._ground.existing(resource, namespace, obj)
        operation = self._asked.operation or (Operation.UPDATE if old is not None else Operation.CREATE)
        if operation is Operation.DELETE and not self._ground.known:
            old = obj
        if operation in {Operation.UPDATE, Operation.DELETE} and old is None:
            absent = f"there is no such object in the cluster, so there is nothing to {operation.lower()}"
            return Examined(subject=_called(obj, namespace), place=manifest.place, skipped=absent)
        try:
            request = self._request(operation, resource, obj, old)
        except RequestError as error:
            self.problems.append(Problem(str(manifest.place), error.message, error.hint))
            return None
        outcome = admit(request, policies=self._policies, world=self._world, now=self._now)
        if outcome.last.allowed and operation is Operation.DELETE:
            self._ground.delete(resource, namespace, obj)
        elif outcome.last.allowed and outcome.object is not None:
            self._ground.apply(resource, namespace, outcome.object)
        verdict = Verdict(
            manifest=manifest,
            request=request,
            outcome=outcome,
            severities=self._severities,
            unreadable=self._unreadable,
        )
        return verdict.examined()

    def _placed(self, manifest: Manifest) -> tuple[GroupVersionResource, str, Object]:
        """Return the resource, the namespace (empty if it has none) and the object with that filled in."""
        resource, namespaced = _resource_of(manifest.object)
        namespace = (namespace_of(manifest.object) or self._asked.namespace) if namespaced else ""
        stated = {key: item for key, item in mapping(manifest.object, "metadata").items() if key != "namespace"}
        metadata = {**stated, **({"namespace": namespace} if namespace else {})}
        return resource, namespace, defaulted({**manifest.object, "metadata": metadata})

    def _request(
        self, operation: Operation, resource: GroupVersionResource, obj: Object, old: Object | None
    ) -> AdmissionRequest:
        case: dict[str, JSON] = {"operation": str(operation), "resource": resource.resource}
        if operation is not Operation.DELETE:
            case["object"] = obj if old is None or operation is Operation.CREATE else applied(obj, old)
        if operation is not Operation.CREATE:
            case["oldObject"] = old
        request = request_of(case, uid="check")
        return replace(request, user=self._asked.user or ANYBODY)


def _rank(manifest: Manifest) -> int:
    return rank(text(manifest.object, "kind"))


def _resource_of(obj: Object) -> tuple[GroupVersionResource, bool]:
    """Return the resource of an object, and whether it lies in a namespace; of unknown kinds, what is most likely.

    Source: Kubernetes ``apimachinery/pkg/api/meta/restmapper.go`` (UnsafeGuessKindToResource).
    """
    group, kind = type_of(obj)
    watched = KINDS.get((group, kind))
    version = text(obj, "apiVersion").rpartition("/")[2]
    if watched is not None:
        return replace(watched.resource, version=version), watched.namespaced
    return GroupVersionResource(group, version, _plural(kind.lower())), bool(namespace_of(obj))


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name.removesuffix('y')}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _is_wanted(policies: PolicySet, obj: Object) -> bool:
    """Say whether a policy is about objects of this kind at all."""
    resource, _ = _resource_of(obj)
    return any(_is_about(policy.document.match, resource) for policy in policies.policies)


def _is_about(match: MatchResources, resource: GroupVersionResource) -> bool:
    return any(
        {"*", resource.group} & set(rule.groups) and {"*", "*/*", resource.resource} & set(rule.resources)
        for rule in match.rules
    )


def _left_out(found: Found, policies: PolicySet) -> Iterator[Examined]:
    for manifest in found.manifests:
        if not _is_wanted(policies, manifest.object):
            yield Examined(subject=_called(manifest.object), place=manifest.place, skipped=_NO_POLICY)
    for one in found.left_out:
        yield Examined(subject=one.subject or "document", place=one.place, skipped=one.why)


def _called(obj: Object, namespace: str = "") -> str:
    where = namespace or namespace_of(obj)
    return str(ObjectRef(text(obj, "kind"), where, name_of(obj)))


def _settings(ground: Ground, asked: Asked) -> Mapping[str, str]:
    told = asked.user.username if asked.user else "nobody in particular (--as USER)"
    applied_as = str(asked.operation) if asked.operation else "CREATE or UPDATE, as the cluster has it"
    if not ground.known and asked.operation is None:
        applied_as = "CREATE, as the cluster is not known"
    return {"applied by": told, "operation": applied_as, "cluster": ground.name}
