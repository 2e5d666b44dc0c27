"""Judges manifests from a Git repository as if they were applied, in the order in which they would be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from webhook.errors import UsageError
from webhook.impact.checking.applying import rank
from webhook.impact.checking.gitfiles import Found, Manifest
from webhook.impact.checking.ground import Ground, resource_of
from webhook.impact.checking.leftout import SETTING
from webhook.impact.checking.run import Asked, Run, called, is_about
from webhook.impact.policyrules import rules_of
from webhook.model.objects import Object, text
from webhook.model.request import Operation
from webhook.output.finding import Examined, Report
from webhook.policy.policyset import PolicySet

_NO_POLICY = "no policy is about objects of this kind"


def check(found: Found, policies: PolicySet, ground: Ground, asked: Asked, now: datetime) -> Report:
    """Judge all manifests. Raises UsageError where the operation cannot be, and ClusterError."""
    if asked.operation is Operation.UPDATE and not ground.known:
        raise UsageError(
            "an UPDATE needs the object as it is in the cluster", hint="give --cluster DIR, or leave out --operation"
        )
    run = Run(policies, ground, asked, now)
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
        rules=rules_of(policy.document for policy in policies.policies),
        examined=(*examined, *(left_out if asked.verbose else ())),
        revision=policies.revision,
        settings=_settings(ground, asked, left_out=run.fields_left_out),
        left_out=dict(sorted(Counter(one.skipped for one in left_out).items())),
        problems=(*found.problems, *run.problems),
        warning_exit_code=asked.warning_exit_code,
    )


def _rank(manifest: Manifest) -> int:
    return rank(text(manifest.object, "kind"))


def _is_wanted(policies: PolicySet, obj: Object) -> bool:
    """Say whether a policy is about objects of this kind at all."""
    resource, _ = resource_of(obj)
    return any(is_about(policy.document.match, resource) for policy in policies.policies)


def _left_out(found: Found, policies: PolicySet) -> Iterator[Examined]:
    for manifest in found.manifests:
        if not _is_wanted(policies, manifest.object):
            yield Examined(subject=called(manifest.object), place=manifest.place, skipped=_NO_POLICY)
    for one in found.left_out:
        yield Examined(subject=one.subject or "document", place=one.place, skipped=one.why)


def _settings(ground: Ground, asked: Asked, *, left_out: bool) -> Mapping[str, str]:
    told = asked.user.username if asked.user else "nobody in particular (--as USER)"
    applied_as = str(asked.operation) if asked.operation else "CREATE or UPDATE, as the cluster has it"
    if not ground.known and asked.operation is None:
        applied_as = "CREATE, as the cluster is not known"
    assumed = {"fields that a manifest leaves out": SETTING} if left_out else {}
    return {"applied by": told, "operation": applied_as, **assumed, "cluster": ground.name}
