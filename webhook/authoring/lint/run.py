"""Lints policy sets and makes one report of what was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from webhook.admission.natives import CATALOG, LAZY_NAMES
from webhook.authoring.lint import (
    branches,
    exempting,
    judging,
    limits,
    matching,
    mutating,
    ordering,
    reach,
    served,
    tested,
    unused,
    values,
    wording,
)
from webhook.authoring.lint.expressions import Expressions, expressions_of
from webhook.authoring.lint.found import Found
from webhook.authoring.lint.rules import RULES
from webhook.authoring.lint.silence import silenced
from webhook.authoring.lint.sources import Sources, compile_problem, documents_of, holder_of, read_sources, refused
from webhook.kubevirt.catalog import SCOPES
from webhook.model.decision import Action
from webhook.model.objects import text
from webhook.output.finding import Examined, Finding, Level, Place, Report
from webhook.policy.compiled import compile_policies
from webhook.policy.document import Documents, GuardPolicy
from webhook.source.files import Document


def lint(
    sets: Sequence[Sequence[Path]], *, now: datetime, least: Level = Level.NOTE, warning_exit_code: int = 0
) -> Report:
    """Lint policy sets, each made of all documents below its paths, and report findings of the ``least`` level and up.

    Raises InputError for a path that is missing or holds no YAML or JSON file.
    """
    examined = [one for paths in sets for one in _examined(_lint(paths, now), least)]
    return Report(
        command="lint",
        rules=tuple(RULES[name].rule for name in sorted(RULES)),
        examined=tuple(examined),
        warning_exit_code=warning_exit_code,
    )


def _lint(paths: Sequence[Path], now: datetime) -> tuple[Sources, list[Found]]:
    sources = read_sources(paths, now)
    documents = documents_of(sources)
    compiled, problems = compile_policies(documents, CATALOG)
    sources.found += [compile_problem(problem, sources.all_documents) for problem in problems]
    whole = sources.is_whole
    good = {policy.name for policy in compiled}
    found = [*sources.found]
    for policy in documents.policies:
        found += _of_policy(policy, documents, compiles=policy.name in good)
    found += wording.check_titles(documents.policies)
    by_name = {policy.name: policy for policy in documents.policies}
    actions = {name: _actions(policy, documents) for name, policy in by_name.items()}
    for exemption in documents.exemptions:
        found += exempting.check(exemption, by_name, actions, now)
    told = {one.where for one in found}
    found += [one for one in tested.check(documents.policies, paths) if one.where not in told or not one.rule.must]
    if whole:
        found += refused(sources)
    return sources, found


def _of_policy(policy: GuardPolicy, documents: Documents, *, compiles: bool) -> Iterator[Found]:
    actions = _actions(policy, documents)
    yield from wording.check(policy, actions)
    bindings = [one for one in documents.bindings if one.policy_name == policy.name]
    yield from matching.check(policy, bindings)
    yield from served.check(policy.document, ("spec", "matchConstraints"))
    for one in bindings:
        yield from served.check(one.document, ("spec", "matchResources"))
    expressions = expressions_of(policy) if compiles else None
    if expressions is not None:
        yield from _of_expressions(expressions, actions)


def _of_expressions(expressions: Expressions, actions: frozenset[Action]) -> Iterator[Found]:
    yield from matching.check_conditions(expressions)
    yield from values.check(expressions)
    yield from judging.check(expressions)
    yield from branches.check(expressions)
    yield from mutating.check(expressions, CATALOG.keys())
    yield from reach.check(expressions, SCOPES, CATALOG)
    yield from unused.check(expressions)
    yield from limits.check(expressions)
    yield from ordering.check(expressions, CATALOG)
    yield from wording.check_messages(expressions, actions, CATALOG.keys() - LAZY_NAMES)


def _actions(policy: GuardPolicy, documents: Documents) -> frozenset[Action]:
    """All that violations of a policy lead to, under any of its bindings."""
    bindings = [one for one in documents.bindings if one.policy_name == policy.name]
    chosen = [one.actions or policy.actions for one in bindings] or [policy.actions]
    return frozenset[Action]().union(*chosen)


def _examined(result: tuple[Sources, list[Found]], least: Level) -> Iterator[Examined]:
    """Every document with what was found in it, then files in which there is something else; in file order."""
    sources, found = result
    of_document: dict[int, list[Found]] = defaultdict(list)
    elsewhere: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        document = one.document or holder_of(one.where, sources.all_documents)
        if document is None:
            elsewhere[Place.of(one.where).file].append(one)
        else:
            of_document[id(document)].append(one)
    for document in sources.all_documents:
        left = silenced(document, of_document[id(document)], RULES)
        yield _examine(_subject(document), document.where(), left, least)
    for file, others in sorted(elsewhere.items()):
        yield _examine(file, others[0].where, others, least)


def _subject(document: Document) -> str:
    kind, name = text(document.value, "kind"), text(document.value, "metadata", "name")
    return " ".join(filter(None, (kind, name))) or document.file


def _examine(subject: str, where: str, found: Sequence[Found], least: Level) -> Examined:
    findings = [
        Finding(
            rule=one.rule.name,
            level=one.rule.level,
            message=one.message,
            hint=one.hint,
            place=Place.of(one.where),
            subject=subject,
        )
        for one in {(one.rule.name, one.where, one.message): one for one in found}.values()
        if one.rule.level.rank <= least.rank
    ]
    ordered = sorted(findings, key=lambda one: (one.level.rank, one.place.line, one.place.column, one.rule))
    return Examined(subject=subject, place=Place.of(where), findings=tuple(ordered))
