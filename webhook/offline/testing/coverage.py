"""Which points of policies the cases of tests exercise: watches decisions, and asks for branches by their probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from webhook.admission.natives import CATALOG
from webhook.offline.testing.branches import branches, readings
from webhook.offline.testing.points import Key, Lack, Point, applied, judged, key_of
from webhook.policy.cel import Activation, CompileError, Compiler, EvaluationError, Expression, Type
from webhook.policy.celsyntax import SyntaxProblem
from webhook.policy.compiled import CompiledMutation, CompiledPolicy, Said, Variable
from webhook.policy.document import Text
from webhook.policy.evaluate import Case, Observer
from webhook.policy.mutate import as_patch


@dataclass(frozen=True, slots=True)
class Share:
    """How much of something was exercised."""

    exercised: int
    total: int

    @property
    def percent(self) -> float:
        """From 0 to 100, rounded down to a tenth: 100 means all. Nothing to exercise counts as all."""
        return self.exercised * 1000 // self.total / 10 if self.total else 100.0

    def __str__(self) -> str:
        return f"{self.percent:.1f} %"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was exercised of all there is."""

    points: tuple[Point, ...]
    gaps: tuple[Point, ...]

    @property
    def share(self) -> Share:
        """Of all policies together."""
        return Share(len(self.points) - len(self.gaps), len(self.points))

    @property
    def policies(self) -> Mapping[str, Share]:
        """By policy, in order of name."""
        shares = {}
        for name in sorted({point.policy for point in self.points}):
            total = sum(point.policy == name for point in self.points)
            shares[name] = Share(total - sum(gap.policy == name for gap in self.gaps), total)
        return shares

    @property
    def told(self) -> tuple[Point, ...]:
        """The gaps worth telling, in order: of a policy that was never judged just that, and not all that is in it."""
        untouched = {gap.policy for gap in self.gaps if gap.lack is Lack.JUDGED}
        open_ends = {(gap.place, gap.what, gap.lack) for gap in self.gaps}
        told: list[Point] = []
        for gap in self.gaps:
            if gap.policy in untouched and gap.lack is not Lack.JUDGED:
                continue
            if gap.lack is Lack.TRUE and (gap.place, gap.what, Lack.FALSE) in open_ends:
                told.append(replace(gap, lack=Lack.REACHED))
            elif gap.lack is not Lack.FALSE or (gap.place, gap.what, Lack.TRUE) not in open_ends:
                told.append(gap)
        return tuple(told)


@dataclass(slots=True)
class _Probe:
    """One open question of a branch."""

    key: Key
    expression: Expression


@dataclass(slots=True)
class _Watched:
    """An expression: what is still to be asked of its branches, and of each variable, whether it is read.

    A variable without a probe is taken as read.
    """

    open: list[_Probe]
    variables: Mapping[str, Expression | None]

    def reads(self, values: Activation) -> Iterator[str]:
        """The variables that are reached with these values."""
        for name, probe in self.variables.items():
            if probe is None or _holds(probe, values):
                yield name


@dataclass(slots=True)
class Recorder(Observer):
    """Watches decisions of many tests and notes what they exercise. Used by one thread."""

    _seen: set[Key] = field(default_factory=set)
    _beyond: set[Key] = field(default_factory=set)
    """Branches for which there is no probe."""
    _watched: dict[tuple[Key, str], _Watched] = field(default_factory=dict)
    """By expression and the scope that its probes were compiled for."""
    _compiler: Compiler = field(default_factory=lambda: Compiler(CATALOG))

    def coverage(self, points: Mapping[Key, Point]) -> Coverage:
        """Return what of these points was exercised so far; those that cannot be asked for are left out."""
        counted = {key: point for key, point in points.items() if key not in self._beyond}
        return Coverage(
            tuple(counted.values()), tuple(point for key, point in counted.items() if key not in self._seen)
        )

    def conditions(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:  # noqa: ARG002 - overridden
        """See Observer. The first condition that is false decides; those after it are not reached."""
        for _, expression in policy.conditions:
            met = self._test(policy, expression, values, Lack.TRUE, Lack.FALSE)
            if met is False:
                return

    def validations(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:  # noqa: ARG002 - overridden
        """See Observer."""
        self._judged(policy)
        for validation in policy.validations:
            passed = self._test(policy, validation.expression, values, Lack.PASSED, Lack.FAILED)
            if passed is False:
                self._say(policy, validation.message, values)
                self._say(policy, validation.remediation, values)
        for _, expression in policy.audit_annotations:
            self._branches(policy, expression, values)
            if _text(expression, values):
                self._seen.add(key_of(expression.source, Lack.SET))

    def mutation(self, policy: CompiledPolicy, mutation: CompiledMutation, values: Activation, case: Case) -> None:
        """See Observer."""
        self._judged(policy)
        self._branches(policy, mutation.expression, values)
        try:
            result = mutation.expression.evaluate(values)
            patch = as_patch(result, case.natives["object"], json_patch=mutation.document.json_patch)
        except EvaluationError:
            return
        self._seen.add(key_of(mutation.expression.source, Lack.CHANGED if patch else Lack.UNCHANGED))
        if patch:
            self._say(policy, mutation.warning, values)

    def _judged(self, policy: CompiledPolicy) -> None:
        self._seen.add(judged(policy.document))
        if policy.binding is not None:
            self._seen.add(applied(policy.binding))

    def _test(
        self, policy: CompiledPolicy, expression: Expression, values: Activation, true: Lack, false: Lack
    ) -> bool | None:
        """Note what a condition gives, and its branches; None where it fails."""
        self._branches(policy, expression, values, boolean=True)
        holds = _holds(expression, values)
        if holds is not None:
            self._seen.add(key_of(expression.source, true if holds else false))
        return holds

    def _say(self, policy: CompiledPolicy, said: Said, values: Activation) -> None:
        """Note which of the wordings is the one that is said: the first that gives a text."""
        for one in said:
            if isinstance(one, str):
                return
            self._branches(policy, one, values)
            if _text(one, values):
                self._seen.add(key_of(one.source, Lack.SAID))
                return

    def _branches(
        self, policy: CompiledPolicy, expression: Expression, values: Activation, *, boolean: bool = False
    ) -> None:
        """Ask the open probes of an expression, and of the variables that are read where these values lead."""
        variables = _variables(policy)
        waiting, met = [self._watch(policy, expression, boolean=boolean)], set[str]()
        while waiting:
            watched = waiting.pop()
            self._ask(watched.open, values)
            for name in set(watched.reads(values)) - met:
                met.add(name)
                waiting.append(self._watch(policy, variables[name].expression, boolean=False))

    def _ask(self, probes: list[_Probe], values: Activation) -> None:
        answered = [probe for probe in probes if probe.key in self._seen or _holds(probe.expression, values)]
        for probe in answered:
            self._seen.add(probe.key)
            probes.remove(probe)

    def _watch(self, policy: CompiledPolicy, expression: Expression, *, boolean: bool) -> _Watched:
        """What to ask of an expression, compiled once for each scope."""
        known = key_of(expression.source, Lack.JUDGED), policy.scope
        if known not in self._watched:
            types = {name: one.expression.type for name, one in _variables(policy).items()}
            try:
                probes = self._probes(expression.source, policy.scope, types, boolean=boolean)
                read = readings(expression.source.text)
            except SyntaxProblem:
                probes, read = [], dict.fromkeys(expression.variables, "")
            reached = {
                name: self._compiled(read[name], expression.source, policy.scope, types)
                for name in sorted(expression.variables & read.keys())
            }
            self._watched[known] = _Watched(probes, reached)
        return self._watched[known]

    def _probes(self, source: Text, scope: str, types: Mapping[str, Type], *, boolean: bool) -> list[_Probe]:
        """Those of branches that are still open."""
        probes: list[_Probe] = []
        for branch in branches(source.text, boolean=boolean):
            for lack, text in ((Lack.TRUE, branch.true), (Lack.FALSE, branch.false)):
                key = key_of(source, lack, branch.start)
                if key in self._seen:
                    continue
                if compiled := self._compiled(text, source, scope, types):
                    probes.append(_Probe(key, compiled))
                else:
                    self._beyond.add(key)
        return probes

    def _compiled(self, probe: str, source: Text, scope: str, types: Mapping[str, Type]) -> Expression | None:
        try:
            text = Text(probe, source.document, source.path)
            return self._compiler.compile(text, ("bool",), scope=scope, variables=types)
        except CompileError:
            return None


def _variables(policy: CompiledPolicy) -> dict[str, Variable]:
    parts = (policy.for_conditions, policy.for_validations, policy.for_mutations)
    return {variable.name: variable for needs in parts for variable in needs.variables}


def _holds(expression: Expression, values: Activation) -> bool | None:
    try:
        return expression.test(values)
    except EvaluationError:
        return None


def _text(expression: Expression, values: Activation) -> str:
    try:
        value = expression.evaluate(values)
    except EvaluationError:
        return ""
    return value.strip() if isinstance(value, str) else ""
