"""What a judged manifest is told: refusals, warnings, notes, and what nobody can tell here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from webhook.admission.failure import is_person
from webhook.impact.checking.gitfiles import Manifest
from webhook.impact.checking.leftout import counting_on, only_without
from webhook.impact.checking.unknown import NO_CLUSTER, NO_USER
from webhook.impact.policyrules import level_of
from webhook.model.decision import Evaluation, FailurePolicy, PatchOperation, Result, Violation
from webhook.model.objects import JSON
from webhook.model.request import AdmissionRequest
from webhook.offline.outcome import Outcome
from webhook.output.finding import Examined, Finding, Level, Place
from webhook.source.parsed import FilePath

_SHOWN = 120
"""Characters of one value in a message."""

_WITHOUT: Mapping[str, str] = {
    NO_CLUSTER: "cannot be told without the cluster's state (--cluster DIR or --kubeconfig FILE)",
    NO_USER: "cannot be told without who applies it (--as USER)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One manifest, the request that it becomes, and how that was judged."""

    manifest: Manifest
    request: AdmissionRequest
    outcome: Outcome
    severities: Mapping[str, str]
    unreadable: frozenset[str] = frozenset()
    """Why parts of the cluster's state could not be read here, where the webhook could."""
    replaced: Verdict | None = None
    """How it fares if ``left`` goes; None if nothing is left out, or it is known what becomes of it."""
    left: tuple[FilePath, ...] = ()
    """Fields that the manifest leaves out and the cluster has, of which an apply knows more than we do."""
    unjudged: Mapping[str, Iterable[str]] = field(default_factory=dict)
    """Policies of which nothing can be told, by reason, as it is not known whether the object is there already."""
    notes: tuple[str, ...] = ()
    """What else there is to say."""

    def examined(self) -> Examined:
        """Return it as what is reported."""
        exempted = self._exempted()
        judged = [one for one in self.outcome.evaluations if one.result is not Result.SKIP]
        spared = [f"exemption '{name}' spares it {', '.join(policies)}" for name, policies in exempted.items()]
        return Examined(
            subject=str(self.request.subject),
            place=self.manifest.place,
            findings=tuple(self._findings()),
            notes=(*self._unknown_notes(), *self.notes, *(spared if judged else ())),
            skipped="" if judged or not spared else "; ".join(spared),
        )

    def met(self) -> list[Finding]:
        """Return what the policies say of this one request."""
        return [finding for one in self.outcome.evaluations for finding in self._of(one)]

    def _exempted(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, dict[str, None]] = {}
        for one in self.outcome.evaluations:
            if one.exemption:
                found.setdefault(one.exemption, {})[one.policy] = None
        return {name: list(policies) for name, policies in found.items()}

    def _findings(self) -> list[Finding]:
        """Worst first, then in the order of the file; the same thing found under two bindings counts once."""
        found = [*self._of_both_readings()]
        found.sort(key=lambda one: (one.level.rank, one.place.line, one.place.column, one.rule))
        once: dict[tuple[str, str], Finding] = {}
        for finding in found:
            once.setdefault((finding.rule, finding.message), finding)
        return list(once.values())

    def _of_both_readings(self) -> Iterator[Finding]:
        """What an apply meets, and as a lesser thing what it would meet if the fields that are left out went."""
        own, other = self.met(), self.replaced.met() if self.replaced else []
        kept, gone = ({(one.rule, one.level) for one in each} for each in (own, other))
        for finding in own:
            alike = self.replaced is None or finding.level is Level.NOTE or (finding.rule, finding.level) in gone
            yield finding if alike else counting_on(self.left, finding)
        for finding in other:
            if finding.level is not Level.NOTE and (finding.rule, finding.level) not in kept:
                yield only_without(self.left, finding)

    def _of(self, one: Evaluation) -> Iterator[Finding]:
        for violation in one.violations:
            yield self._violated(one, violation)
        if one.patch:
            yield self._changed(one)
        if one.result is Result.ERROR and not self._why_unknown(one):
            yield self._finding(
                one,
                self._level_of_error(one),
                f"could not be judged: {one.error}",
                "what is missing may be added to the cluster's state or to the manifests",
            )

    def _violated(self, one: Evaluation, violation: Violation) -> Finding:
        steps = tuple(violation.field.split(".")) if violation.field else ()
        return self._finding(
            one,
            level_of(violation.actions),
            violation.message,
            violation.remediation,
            place=self.manifest.place_of(steps),
            field=violation.field,
        )

    def _changed(self, one: Evaluation) -> Finding:
        paths = [_steps(text) for operation in one.patch for text in [str(operation["path"])]]
        changes = f"migguard would change it: {'; '.join(_changes(one.patch))}"
        message = "; ".join(one.warnings) or changes
        in_spec = all(steps[:1] == ("spec",) for steps in paths)
        advice = ["write it into the manifest, so that Git and the cluster agree"] if in_spec else []
        hint = "; ".join([*([changes] if one.warnings else []), *advice])
        return self._finding(
            one, Level.NOTE, message, hint, place=self.manifest.place_of(paths[0]), field=".".join(paths[0])
        )

    def _finding(
        self,
        one: Evaluation,
        level: Level,
        message: str,
        hint: str,
        *,
        place: Place | None = None,
        field: str = "",
    ) -> Finding:
        return Finding(
            rule=one.policy,
            level=level,
            message=message,
            hint=hint,
            place=place or self.manifest.place,
            subject=str(self.request.subject),
            field=field,
            properties=self._properties(one, level),
        )

    def _properties(self, one: Evaluation, level: Level) -> Mapping[str, JSON]:
        refused = {"code": self.outcome.last.code} if level is Level.ERROR else {}
        named = {"binding": one.binding, "severity": self.severities.get(one.policy, "")}
        return {
            "policy": one.policy,
            **{key: text for key, text in named.items() if text},
            "operation": str(self.request.operation),
            "user": self.request.user.username,
            **refused,
        }

    def _level_of_error(self, one: Evaluation) -> Level:
        """What an error leads to at admission; see :mod:`webhook.admission.answer`."""
        if one.failure_policy is FailurePolicy.IGNORE or not is_person(self.outcome.origin):
            return Level.NOTE
        return level_of(one.actions)

    def _why_unknown(self, one: Evaluation) -> str:
        """Say why the verdict is not known here although the webhook would know it; empty if that is not so."""
        return next((why for why in (NO_CLUSTER, NO_USER, *sorted(self.unreadable)) if why in one.error), "")

    def _unknown_notes(self) -> Iterator[str]:
        policies = {why: dict.fromkeys(names) for why, names in self.unjudged.items()}
        for one in self.outcome.evaluations:
            why = self._why_unknown(one) if one.result is Result.ERROR else ""
            if why:
                policies.setdefault(why, {})[one.policy] = None
        for why, names in policies.items():
            yield f"{_WITHOUT.get(why, f'cannot be told, as {why}')}: {', '.join(sorted(names))}"


def _steps(pointer: str) -> tuple[str, ...]:
    """Source: RFC 6901."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _changes(patch: Iterable[PatchOperation]) -> Iterator[str]:
    for operation in patch:
        path = ".".join(_steps(str(operation["path"]))) or "the object"
        if operation["op"] == "remove":
            yield f"{path} is removed"
        elif "value" in operation:
            yield f"{path} becomes {_shown(operation['value'])}"
        else:
            yield f"{path} becomes what {'.'.join(_steps(str(operation['from'])))} is"


def _shown(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
