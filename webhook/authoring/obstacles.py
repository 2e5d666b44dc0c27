"""Why a policy cannot be said natively: everything that the API server would not understand, or would judge otherwise.

Source: Kubernetes ``staging/src/k8s.io/apiserver/pkg/cel/environment/base.go`` (libraries) and
``pkg/admission/plugin/cel``; each row was tried on kube-apiserver 1.36 (tests/e2e/test_native_policies.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from webhook.admission.natives import LAZY_NAMES
from webhook.authoring.native import EQUIVALENTS, OMITTED, ORIGIN_VARIABLE, PARAMS_VARIABLE
from webhook.authoring.rewriting import references
from webhook.model.request import Phase
from webhook.policy.cel import Expression
from webhook.policy.celsyntax import Kind, Node, parse
from webhook.policy.compiled import CompiledPolicy, Needs
from webhook.policy.document import Exemption

_LIBRARIES = frozenset({"math", "base64"})
"""Libraries of functions that the API server does not load."""
_METHODS = frozenset({"existsOne"})
_WHOLE = frozenset({"request", "request.userInfo"})
"""Typed there: known field by field only."""
_CONDITION_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
"""Source: Kubernetes, a qualified name without prefix."""


def obstacles(policy: CompiledPolicy, exemptions: Iterable[Exemption]) -> Iterator[str]:
    """Yield everything that stands in the way of exporting a policy; ``exemptions`` are those that count."""
    document = policy.document
    if document.phase is Phase.MUTATE and document.validations:
        yield (
            "it is judged before other admission plugins act (admissionPhase: Mutate), and a "
            "ValidatingAdmissionPolicy is judged after them"
        )
    taken = {variable.name for variable in document.variables} & {PARAMS_VARIABLE, ORIGIN_VARIABLE}
    for name in sorted(taken):
        yield f"its variable '{name}' has a name that the export needs: rename it"
    for name, _ in policy.conditions:
        if not _CONDITION_NAME.fullmatch(name):
            yield f"its match condition '{name}' has a name that is none there: letters, digits, '-', '_' and '.'"
    exempt = [one.name for one in exemptions if policy.name in one.policies]
    if exempt:
        yield f"natively nobody is exempt, and exemption {', '.join(exempt)} counts on it"
    yield from _foreign_facts(frozenset().union(*(one.facts for one in expressions(policy))))
    for one in judging(policy):
        yield from foreign(parse(one.source.text), one.source.text)
    for one in changing(policy):
        yield from foreign(parse(one.source.text), one.source.text, mutating=True)
    yield from _untyped(policy)


def expressions(policy: CompiledPolicy) -> Iterator[Expression]:
    """Everything that would be written."""
    yield from judging(policy)
    yield from changing(policy)


def judging(policy: CompiledPolicy) -> Iterator[Expression]:
    """What a ValidatingAdmissionPolicy would hold."""
    yield from (expression for _, expression in policy.conditions)
    yield from _variables(policy.for_validations)
    for validation in policy.validations:
        yield validation.expression
        said = (*validation.message[:1], *validation.remediation[:1])
        yield from (one for one in said if not isinstance(one, str))
    yield from (expression for _, expression in policy.audit_annotations)


def changing(policy: CompiledPolicy) -> Iterator[Expression]:
    """What a MutatingAdmissionPolicy would hold besides the conditions."""
    yield from _variables(policy.for_mutations)
    yield from (mutation.expression for mutation in policy.mutations)


def _variables(needs: Needs) -> Iterator[Expression]:
    yield from (variable.expression for variable in needs.variables)


def _untyped(policy: CompiledPolicy) -> Iterator[str]:
    booleans = [expression for _, expression in policy.conditions] + [one.expression for one in policy.validations]
    for one in booleans:
        if str(one.type).lower() != "bool":
            yield f"the expression at {one.source.where} may give something else than true or false: compare it"
    for _, one in policy.audit_annotations:
        if str(one.type).lower() != "string":
            yield f"the expression at {one.source.where} may give something else than a text: write string(…)"


def _foreign_facts(facts: frozenset[str]) -> Iterator[str]:
    unknown = sorted(facts - EQUIVALENTS.keys() - LAZY_NAMES)
    if unknown:
        yield f"it reads {', '.join(unknown)}, which only migguard knows"


def foreign(node: Node, text: str, *, mutating: bool = False) -> Iterator[str]:
    """Yield what in an expression the API server does not understand, in words; ``mutating`` policies know more."""
    for one in references(node):
        if one.dotted in _WHOLE:
            yield f"{one.dotted} is known field by field there, not as a whole"
    for one in node.walk():
        yield from _foreign_field(one, text)
        yield from _foreign_call(one, mutating=mutating)


def _foreign_field(node: Node, text: str) -> Iterator[str]:
    if node.kind is Kind.SELECT and text[node.end - 1] == "`":
        yield "a field's name in back quotes is not understood there: write object['a/b']"
    if node.dotted == "request.uid":
        yield "request.uid is not known there"
    if node.kind is Kind.SELECT and node.dotted in OMITTED and "?" in text[node.children[0].end : node.end]:
        yield f"{text[node.start : node.end]} means something else there: what is empty is left out"


def _foreign_call(node: Node, *, mutating: bool) -> Iterator[str]:
    if node.kind is Kind.CALL and node.name == "has" and node.children[0].dotted in OMITTED:
        yield f"has({node.children[0].dotted}) means something else there: what is empty is left out"
    if node.kind is not Kind.METHOD:
        return
    receiver = node.children[0].dotted
    if receiver in _LIBRARIES or (receiver == "cel" and node.name == "bind"):
        yield f"the function {receiver}.{node.name} is not known there"
    elif node.name in _METHODS:
        yield f"the macro {node.name} is not known there: write exists_one"
    elif receiver == "jsonpatch" and not mutating:
        yield "the function jsonpatch.escapeKey is known there in mutations only"
