"""The pages under docs/reference/policies: one for each built-in policy, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from docs.markdown import block, code, page, table
from docs.policycoverage import OPERATIONS, coverage, does, parameters
from docs.policyexample import Example, example
from webhook.admission.natives import CATALOG
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import HYPERCONVERGED
from webhook.model.decision import Action
from webhook.model.objects import text
from webhook.model.request import AdmissionRequest
from webhook.policy import schema
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.policyset import load

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = {"en": "English", "ja": "Japanese"}
_SERVICE_ACCOUNT = "system:serviceaccount:"


def pages() -> Mapping[str, str]:
    """Return the text of each page by its file name."""
    policies = load([ROOT / "policies"], CATALOG).policies
    return {"README.md": _index(policies), **{f"{policy.name}.md": _page(policy) for policy in policies}}


def _index(policies: Sequence[CompiledPolicy]) -> str:
    rows = (
        (_note(one, "category"), f"[{one.name}]({one.name}.md)", _note(one, "title"), _note(one, "severity"), does(one))
        for one in sorted(policies, key=lambda one: (_note(one, "category"), one.name))
    )
    return page(
        "Policies",
        "The policies that come with migguard, in `policies/`. What each does can be changed by a binding, see "
        "[Roll out a policy](../../roll-out.md); how to write others is told in "
        "[Write a policy](../../write-a-policy.md). People read refusals and warnings in English or Japanese, as "
        "`spec.language` of Parameters says.",
        table(("category", "policy", "what it is for", "severity", "what it does"), rows),
    )


def _page(policy: CompiledPolicy) -> str:
    file = Path(policy.document.document.file)
    shown = example(policy.document, file.parent / "tests")
    return page(
        policy.name,
        f"**{_note(policy, 'title')}.** Severity {_note(policy, 'severity')}, category {_note(policy, 'category')}. "
        f"This policy {does(policy)}; it stands in {code(str(file.relative_to(ROOT)))}.",
        "## Why",
        _note(policy, "description"),
        f"Follows: {_note(policy, 'reference')}.",
        "## What it covers",
        coverage(policy),
        "## Parameters",
        parameters(policy.document.param_schema),
        "## What people read",
        *_shown(shown),
        "## How to fix it",
        _fix(shown),
        "## How to exempt",
        "Let the requester of the example pass, for a time (see [Exemptions](../../roll-out.md#exemptions)):",
        block("yaml", _yaml(_exemption(policy, shown.request))),
        *_rollout(policy),
        "## Facts it reads",
        _facts(policy),
    )


def _note(policy: CompiledPolicy, name: str) -> str:
    return text(policy.document.annotations, f"migguard.io/{name}").strip()


def _shown(shown: Example) -> Iterable[str]:
    request = shown.request
    yield (
        f"{code(request.user.username)} asks to {OPERATIONS[request.operation]} {code(str(request.subject))}, "
        f"which {'is refused' if shown.refused else 'passes with a warning'} "
        f"(case “{shown.case}” of {code(str(shown.file.relative_to(ROOT)))})."
    )
    for language, told in shown.told.items():
        yield f"In {LANGUAGES[language]}:"
        yield block("text", told.text)
    if shown.patch:
        yield "The object is changed:"
        yield block("json", "\n".join(json.dumps(operation, sort_keys=True) for operation in shown.patch))


def _fix(shown: Example) -> str:
    steps = [(LANGUAGES[language], told.remediation) for language, told in shown.told.items() if told.remediation]
    if not steps:
        return "Nothing has to be done. To choose another value, write it yourself: what is given is not changed."
    return "The next step that is named in the example:\n\n" + "\n".join(f"- {name}: {step}" for name, step in steps)


def _exemption(policy: CompiledPolicy, request: AdmissionRequest) -> Mapping[str, Any]:
    """Of who asks; and of HCO's operator where it is judged too, since it tries the result out as itself."""
    subjects = [_subject(request.user.username)]
    if request.kind.kind == HYPERCONVERGED.kind and not policy.document.origins:
        subjects.append(_subject(f"{_SERVICE_ACCOUNT}{request.namespace}:hyperconverged-cluster-operator"))
    place = {"namespaces": request.namespace} if request.namespace else {"names": request.subject.name}
    return _document(
        "Exemption",
        f"{policy.name}-for-a-time",
        {
            "policies": [policy.name],
            "subjects": subjects,
            **{field: [name] for field, name in place.items() if name},
            "operations": [str(request.operation)],
            "owner": "platform-team@example.com",
            "reason": "say why, and what will make this exemption superfluous",
            "ticket": "OPS-1234",
            "starts": "2027-02-01",
            "expires": "2027-02-28",
        },
    )


def _subject(username: str) -> Mapping[str, str]:
    if not username.startswith(_SERVICE_ACCOUNT):
        return {"kind": "User", "name": username}
    namespace, _, name = username.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def _rollout(policy: CompiledPolicy) -> Iterable[str]:
    """How to make it milder or stricter than it is; a mutation has no such choice."""
    if not policy.validations:
        return
    if Action.DENY in policy.actions:
        title, why, actions, name = "warn", "To see first what it would refuse", ["Warn", "Audit"], "warns-first"
    else:
        title, why, actions, name = "refuse", "To let it refuse what it finds", ["Deny"], "refuses"
    binding = {"policyName": policy.name, "validationActions": actions}
    yield f"## How to make it {title}"
    yield f"{why}, everywhere or in some namespaces only (see [Roll out a policy](../../roll-out.md)):"
    yield block("yaml", _yaml(_document("GuardPolicyBinding", f"{policy.name}-{name}", binding)))


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"apiVersion": schema.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _yaml(document: Mapping[str, Any]) -> str:
    written: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return written


def _facts(policy: CompiledPolicy) -> str:
    needs = (policy.for_conditions, policy.for_validations, policy.for_mutations)
    read = sorted({name for one in needs for name in one.facts} & FACTS.keys())
    if not read:
        return "None: it judges by the request alone."
    rows = ((code(name), FACTS[name].summary) for name in read)
    return f"All are listed in [Facts](../facts.md).\n\n{table(('fact', 'what'), rows)}"
