"""Reads a policy set for lint: what is good in it is read even where something else is not.

The webhook takes a set as a whole or not at all. Lint says all that is wrong at once, and asks the webhook's own loader
in the end: what that refuses is an error whether or not a check has found it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from webhook.authoring.lint.found import Found, at, of_problem
from webhook.authoring.lint.rule import LintRule, error
from webhook.errors import InputError, PolicyError, Problem
from webhook.model.objects import mapping, text
from webhook.policy import loader, reading, schema
from webhook.policy.document import Documents, Exemption
from webhook.policy.spelling import nearest
from webhook.source.files import Document, parse, read

UNREADABLE = error(
    "unreadable",
    "A file cannot be read",
    "The file is not UTF-8 text, not YAML or JSON, or cannot be opened.",
    must=True,
)
SCHEMA = error(
    "schema",
    "A document does not fit its schema",
    "A field is unknown, missing or of another type, or the kind is none of migguard's. See migguard schema.",
    bad="validationAction: [Deny]",
    good="validationActions: [Deny]",
    must=True,
)
CEL = error(
    "cel",
    "An expression does not compile",
    "A name is unknown, or a value has another type than is needed.",
    bad="vmi.critcal == true",
    good="vmi.critical",
    must=True,
)
PARAMETER = error(
    "parameter",
    "A parameter is none, or has a value that does not fit",
    "A binding or Parameters sets what no policy declares, or a value that paramSchema does not allow; or paramSchema "
    "is no JSON Schema.",
    bad="params: {holdLable: x}",
    good="params: {holdLabel: x}",
    must=True,
)
UNKNOWN_NAME = error(
    "unknown-name",
    "A policy is named that there is not",
    "A binding or an exemption names a GuardPolicy that is not among the documents. Give lint all directories that the "
    "webhook is given.",
    must=True,
)
DUPLICATE_NAME = error(
    "duplicate-name",
    "Two documents of a kind have one name",
    "Names of policies, bindings and exemptions are unique, and there is one Parameters document at most.",
    must=True,
)
EXEMPTION_DATES = error(
    "exemption-dates",
    "The dates of an exemption are not possible",
    "It ends before it starts, runs longer than spec.exemptions.maxDays of Parameters allows, or a date is none.",
    bad='expires: "2099-01-01"',
    good="a date within 90 days",
    must=True,
)
FREEZE_WINDOW = error(
    "freeze-window",
    "A freeze window never ends",
    "It begins anew while it is still open, so that nobody could ever migrate.",
    must=True,
)
NOT_LOADABLE = error(
    "not-loadable",
    "The webhook would refuse these documents",
    "They cannot be put in force together, for a reason that no other rule names.",
    must=True,
)

RULES = (
    UNREADABLE,
    SCHEMA,
    CEL,
    PARAMETER,
    UNKNOWN_NAME,
    DUPLICATE_NAME,
    EXEMPTION_DATES,
    FREEZE_WINDOW,
    NOT_LOADABLE,
)

_FOREIGN = frozenset({"Kustomization", "Component"})
"""Kinds that the webhook's loader passes over too."""


@dataclass(slots=True)
class Sources:
    """One policy set as read; problems that keep it from being loaded are in ``found``."""

    paths: Sequence[Path]
    now: datetime
    files: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    all_documents: list[Document] = field(default_factory=list)
    """Those that are migguard's, good or not."""
    good: dict[str, list[Document]] = field(default_factory=lambda: {kind: [] for kind in schema.KINDS})
    """Those that fit their schema, by kind."""
    broken: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name of those that do not."""
    found: list[Found] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Nothing had to be left out."""
        return not self.found

    def names(self, kind: str) -> list[str]:
        """The names of all documents of a kind, good or not."""
        known = [text(document.value, "metadata", "name") for document in self.good[kind]]
        return [*known, *(name for of, name in sorted(self.broken) if of == kind)]


def read_sources(paths: Sequence[Path], now: datetime) -> Sources:
    """Read all documents below these paths. Raises InputError for a path that is missing or holds no such file."""
    sources = Sources(paths, now)
    for file in loader.policy_files(paths):
        sources.files.append(str(file))
        try:
            content = read(file)
            documents, problems = parse(content, str(file))
        except InputError as error:
            where = error.where or str(file)
            sources.found.append(Found(rule=UNREADABLE, where=where, message=error.message, hint=error.hint))
            continue
        sources.texts[str(file)] = content
        sources.found += [of_problem(UNREADABLE, problem) for problem in problems]
        for document in documents:
            _sort(document, sources)
    return sources


def _sort(document: Document, sources: Sources) -> None:
    kind = text(document.value, "kind")
    if kind == schema.TEST_KIND or kind in _FOREIGN:
        return
    sources.all_documents.append(document)
    if not kind:
        hint = f"one of {', '.join(schema.KINDS)}"
        sources.found.append(at(SCHEMA, document, (), "not a migguard document: it has no kind", hint))
    elif kind not in schema.KINDS:
        hint = nearest(kind, schema.KINDS) or f"a policy directory holds {', '.join(schema.KINDS)}"
        sources.found.append(at(SCHEMA, document, ("kind",), f"unknown kind '{kind}'", hint))
    elif problems := schema.check(document, kind):
        sources.found += [of_problem(SCHEMA, problem, document) for problem in problems]
        sources.broken.add((kind, text(document.value, "metadata", "name")))
    else:
        sources.good[kind].append(document)


def documents_of(sources: Sources) -> Documents:
    """Return what is good as the documents of a policy set; says in ``sources.found`` how they do not fit together."""
    whole, found = sources.is_whole, sources.found
    parameters = next(iter(sources.good["Parameters"]), None)
    dates: list[Problem] = []
    exemptions = {
        id(document): one for document in sources.good["Exemption"] if (one := reading.exemption(document, dates))
    }
    found += [of_problem(EXEMPTION_DATES, problem) for problem in dates]
    documents = Documents(
        policies=tuple(reading.policy(document) for document in _first_of_each(sources.good["GuardPolicy"])),
        bindings=tuple(reading.binding(document) for document in _first_of_each(sources.good["GuardPolicyBinding"])),
        exemptions=tuple(exemptions.values()),
        parameters=loader.full_parameters(mapping(parameters.value, "spec") if parameters else {}),
        digest="",
        texts=sources.texts,
        # A shared parameter may be that of a policy which could not be read.
        parameters_document=parameters if whole else None,
    )
    found += _duplicates(sources)
    found += _unknown_names(documents, sources.names("GuardPolicy"))
    longest = timedelta(days=documents.parameters["exemptions"]["maxDays"])
    found += [one for exemption in documents.exemptions for one in _dates(exemption, longest, sources.now)]
    if parameters is not None:
        found += [of_problem(FREEZE_WINDOW, one, parameters) for one in loader.check_windows(parameters)]
    return documents


def _first_of_each(documents: Iterable[Document]) -> list[Document]:
    first: dict[str, Document] = {}
    for document in documents:
        first.setdefault(text(document.value, "metadata", "name"), document)
    return list(first.values())


def _duplicates(sources: Sources) -> Iterable[Found]:
    for kind, documents in sources.good.items():
        first: dict[str, Document] = {}
        for document in documents:
            name = text(document.value, "metadata", "name") if kind != "Parameters" else "the one Parameters document"
            other = first.setdefault(name, document)
            if other is not document:
                hint = f"the other is {other.where(('metadata', 'name'))}"
                message = f"{kind} '{name}' stands twice"
                yield at(DUPLICATE_NAME, document, ("metadata", "name"), message, hint)


def _unknown_names(documents: Documents, names: Sequence[str]) -> Iterable[Found]:
    for binding in documents.bindings:
        if binding.policy_name not in names:
            yield _unknown(binding.document, ("spec", "policyName"), binding.policy_name, names)
    for exemption in documents.exemptions:
        for index, name in enumerate(exemption.policies):
            if name not in names:
                yield _unknown(exemption.document, ("spec", "policies", index), name, names)


def _unknown(document: Document, path: tuple[str | int, ...], name: str, names: Sequence[str]) -> Found:
    return at(UNKNOWN_NAME, document, path, f"no GuardPolicy '{name}'", nearest(name, names))


def _dates(exemption: Exemption, longest: timedelta, now: datetime) -> Iterable[Found]:
    place = ("spec", "expires")
    if exemption.starts and exemption.starts >= exemption.expires:
        yield at(EXEMPTION_DATES, exemption.document, place, "expires before it starts")
    elif exemption.expires - (exemption.starts or now) > longest:
        message = f"expires more than {longest.days} days {'after it starts' if exemption.starts else 'from now'}"
        hint = "an exemption is a debt with a date: renew it by review (spec.exemptions.maxDays of Parameters)"
        yield at(EXEMPTION_DATES, exemption.document, place, message, hint)


def refused(sources: Sources) -> Iterable[Found]:
    """What the webhook's own loader has against the set that no check has found."""
    try:
        loader.load(sources.paths, now=sources.now)
    except PolicyError as error:
        told = {one.where for one in sources.found}
        for problem in error.problems:
            if problem.where not in told:
                yield of_problem(_named(problem), problem)


def _named(problem: Problem) -> LintRule:
    return UNREADABLE if "not valid" in problem.message else NOT_LOADABLE


def holder_of(where: str, documents: Iterable[Document]) -> Document | None:
    """Return the document in which a place is."""
    file, _, place = where.rpartition(":")[0].rpartition(":")
    if not place.isdigit():
        return None
    line = int(place)
    above = [one for one in documents if one.file == file and one.positions[()].line <= line]
    return max(above, key=lambda one: one.positions[()].line, default=None)


def compile_problem(problem: Problem, documents: Iterable[Document]) -> Found:
    """A problem that compiling has found: of an expression, unless it is about a parameter."""
    about_parameters = "paramSchema" in problem.message or "parameter" in problem.message
    rule = PARAMETER if about_parameters and not problem.message.startswith("CEL:") else CEL
    return of_problem(rule, problem, holder_of(problem.where, documents))
