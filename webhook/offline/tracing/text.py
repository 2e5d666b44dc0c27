"""A trace as text for a terminal: what decided comes first, and every value with where it came from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webhook.model.decision import PatchOperation, Result
from webhook.model.objects import JSON
from webhook.offline.tracing.steps import FactStep, PhaseTrace, PolicyTrace, Source, Step, Trace, ValidationStep
from webhook.output.tables import plain

VALUE_WIDTH = 160
"""Characters of a value or an expression that are shown unless all are wanted."""
SHOWN_ITEMS = 3
"""Items of a list of objects."""
SHOWN_OBJECTS = 3
"""Objects that a look-up found."""

_NOT_COVERED = "no resource rule covers"
_MARKS = {Result.FAIL: "FAIL", Result.ERROR: "ERROR", Result.PASS: "ok", Result.SKIP: "skip", None: "-"}
_ORDER = (Result.FAIL, Result.ERROR, Result.PASS, Result.SKIP, None)


def render(trace: Trace, *, verbose: bool = False, times: bool = False) -> str:
    """Return a trace as text.

    Args:
        trace: What to show.
        verbose: Whole values and expressions, what each fact means, and policies that do not concern the request.
        times: How long each part took; without them the same request always gives the same text.
    """
    writer = _Writer(verbose, times)
    lines = [*_heading(trace, writer)]
    for phase in trace.phases:
        lines += ["", *writer.phase(phase)]
    return "\n".join(lines)


def shown(value: JSON, *, whole: bool = False) -> str:
    """Return a value on one line, as JSON; long lists and texts are cut and say so."""
    if (
        not whole
        and isinstance(value, list)
        and len(value) > SHOWN_ITEMS
        and any(isinstance(one, dict) for one in value)
    ):
        first = ", ".join(_json(one) for one in value[:SHOWN_ITEMS])
        return f"[{cut(first)}, …] ({len(value)} in all)"
    text = _json(value)
    return text if whole else cut(text)


def cut(text: str) -> str:
    """Return a text that may be cut, and then says how long it is."""
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}… ({len(text)} characters)"


def _json(value: JSON) -> str:
    return plain(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def _heading(trace: Trace, writer: _Writer) -> Iterator[str]:
    request, decision = trace.request, trace.decision
    about = f"{request.subject}" + (f", subresource {request.subresource}" if request.subresource else "")
    dry = " (dry run)" if request.dry_run else ""
    yield plain(f"{request.operation} of {about} by {request.user.username or 'nobody'} ({decision.origin}){dry}")
    refusing = list(dict.fromkeys(one.name for one in trace.policies if one.decides))
    verdict = f"DENIED by {', '.join(refusing)}" if refusing else "ALLOWED"
    yield verdict + writer.took(trace.seconds)


@dataclass(frozen=True, slots=True)
class _Writer:
    verbose: bool
    times: bool

    def took(self, seconds: float) -> str:
        return f" in {seconds * 1000:.1f} ms" if self.times else ""

    def phase(self, phase: PhaseTrace) -> Iterator[str]:
        decision = phase.decision
        verdict = "allowed" if decision.allowed else "denied"
        yield f"== {phase.phase}: {verdict}{self.took(decision.seconds.get('total', 0.0))}"
        for policy in sorted((one for one in phase.policies if one.matched), key=_importance):
            yield ""
            yield from self._policy(policy, phase)
        yield from self._left_out([one for one in phase.policies if not one.matched], phase)
        yield from self._facts(phase.facts.values())

    def _policy(self, policy: PolicyTrace, phase: PhaseTrace) -> Iterator[str]:
        binding = f" (binding {policy.binding})" if policy.binding else ""
        yield f"{_MARKS[policy.result]:<5} {policy.name}{binding}: {_verdict(policy)}{self.took(policy.seconds)}"
        actions = "+".join(sorted(policy.actions))
        yield from _indented(1, f"{policy.where}  {actions}, failurePolicy {policy.failure_policy}")
        yield from _indented(1, *([policy.title] if policy.title else []))
        yield from self._steps(policy)
        yield from _indented(1, *([f"could not be judged: {policy.error}"] if policy.error else []))
        for variable in policy.variables:
            yield from self._step("variable", variable)
        yield from _indented(1, *(self._fact(phase.facts[name]) for name in policy.facts))
        told = sorted(policy.audit_annotations.items())
        yield from _indented(1, *(f"audit annotation {key}: {text}" for key, text in told))

    def _steps(self, policy: PolicyTrace) -> Iterator[str]:
        for condition in policy.conditions:
            yield from self._step("match condition", condition, telling=condition.value is False)
        for validation in policy.validations:
            yield from self._validation(validation)
        for mutation in policy.mutations:
            yield from self._step("mutation", mutation.step, value=self.verbose or bool(mutation.step.error))
            yield from _indented(2, *(_operation(one) for one in mutation.patch))
            yield from _indented(2, *(f"warning: {one}" for one in mutation.warnings))

    def _validation(self, validation: ValidationStep) -> Iterator[str]:
        yield from self._step("", validation.step, telling=validation.step.value is False)
        violation = validation.violation
        if violation is not None:
            yield from _indented(2, violation.message)
            if violation.field:
                yield from _indented(2, f"field: {violation.field}")
            if violation.remediation:
                yield from _indented(2, f"Next step: {violation.remediation}")

    def _step(self, kind: str, step: Step, *, value: bool = True, telling: bool = False) -> Iterator[str]:
        called = f"{kind} {step.name}".strip()
        came = f"error: {step.error}" if step.error else shown(step.value, whole=self.verbose)
        yield from _indented(1, f"{called} = {came}  ({step.where})" if value else f"{called}  ({step.where})")
        if self.verbose or telling or step.error:
            yield from _indented(2, self._expression(step.expression))

    def _expression(self, text: str) -> str:
        one_line = " ".join(text.split())
        return one_line if self.verbose else cut(one_line)

    def _fact(self, fact: FactStep) -> str:
        if fact.unavailable:
            return f"fact {fact.name} is not available: {fact.unavailable}"
        set_by = f", set by {fact.set_by}" if fact.set_by else ""
        return f"fact {fact.name} = {shown(fact.value, whole=self.verbose)}{set_by}"

    def _left_out(self, policies: Sequence[PolicyTrace], phase: PhaseTrace) -> Iterator[str]:
        """One line each; those about other kinds of requests are only counted."""
        others = [one for one in policies if one.left_out.startswith(_NOT_COVERED)]
        told = policies if self.verbose else [one for one in policies if one not in others]
        if policies:
            yield from ("", "Not judged:")
        for policy in told:
            binding = f" (binding {policy.binding})" if policy.binding and "binding" not in policy.left_out else ""
            yield from _indented(1, f"{policy.name}{binding}: {policy.left_out}")
            for condition in (one for one in policy.conditions if one.value is False):
                yield from _indented(2, self._expression(condition.expression))
                yield from _indented(2, *(self._fact(phase.facts[name]) for name in sorted(condition.facts)))
        if len(told) < len(policies):
            yield from _indented(1, f"{len(others)} more: {others[0].left_out}")

    def _facts(self, facts: Iterable[FactStep]) -> Iterator[str]:
        """Facts that were read from the same objects stand together."""
        origins: dict[tuple[str, ...], list[FactStep]] = {}
        for fact in facts:
            origins.setdefault(tuple(self._origin(fact)), []).append(fact)
        if origins:
            yield from ("", "Where the facts come from:")
        for origin, together in origins.items():
            yield from _indented(1, *_wrapped([fact.name for fact in together]))
            if self.verbose:
                yield from _indented(2, *(f"{fact.name}: {fact.summary}" for fact in together))
            yield from _indented(2, *origin)

    def _origin(self, fact: FactStep) -> Iterator[str]:
        yield from (self._source(source) for source in fact.sources)
        for question in fact.questions:
            answer = "yes" if question.get("allowed") else "no"
            yield f"asked: can {question.get('user')} {question.get('canI')}: {answer}"
        if not fact.sources and not fact.questions:
            yield fact.unavailable or "the request itself"

    def _source(self, source: Source) -> str:
        if not source.objects or source.objects == (source.text,):
            return source.text
        names = source.objects if self.verbose else source.objects[:SHOWN_OBJECTS]
        more = ", …" if source.count > len(names) else ""
        return f"{source.text} ({', '.join(names)}{more})"


def _importance(policy: PolicyTrace) -> tuple[bool, int, bool]:
    """What refuses first, then what else was found, then what changes the object."""
    return not policy.decides, _ORDER.index(policy.result), not any(one.patch for one in policy.mutations)


def _verdict(policy: PolicyTrace) -> str:
    if policy.decides:
        return "refuses the request"
    match policy.result:
        case Result.FAIL:
            return "warns" if "Warn" in policy.actions else "is only recorded (Audit)"
        case Result.ERROR:
            return "could not be judged, and lets the request through"
        case Result.SKIP:
            return policy.left_out
        case _:
            changes = sum(len(one.patch) for one in policy.mutations)
            return f"changes the object ({_counted(changes, 'operation')})" if changes else "finds nothing wrong"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _wrapped(names: Sequence[str]) -> list[str]:
    return textwrap.wrap(", ".join(names), 110, break_long_words=False, break_on_hyphens=False)


def _operation(operation: PatchOperation) -> str:
    """One change, as RFC 6902 has it."""
    given = shown(operation["value"]) if "value" in operation else str(operation.get("from", ""))
    return f"{operation.get('op')} {operation.get('path')} {given}".rstrip()


def _indented(level: int, *texts: str) -> Iterator[str]:
    """Each line of each text, safe for a terminal."""
    for text in texts:
        first, *others = text.splitlines() or [""]
        yield "      " + "    " * (level - 1) + plain(first)
        yield from ("      " + "    " * level + plain(line) for line in others)
