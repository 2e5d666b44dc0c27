"""Policies ready to be judged: every expression compiled, every parameter filled in, one per policy and binding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.errors import Problem
from webhook.model.decision import Action
from webhook.model.facts import CelType, Fact
from webhook.model.objects import mapping
from webhook.policy import schema
from webhook.policy.cel import CompileError, Compiler, Expression, Type
from webhook.policy.document import (
    ENGLISH,
    Documents,
    GuardPolicy,
    GuardPolicyBinding,
    Mutation,
    Text,
    Validation,
    Wordings,
)
from webhook.policy.spelling import nearest
from webhook.source.parsed import FilePath

MAX_KEY = 63
"""Characters of an audit annotation's key. Source: Kubernetes ``apiserver/pkg/admission`` (a qualified name)."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and how many variables it builds on (0: none), which is the order in which they are computed."""

    name: str
    expression: Expression
    level: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What some expressions of a policy read, through its variables too."""

    facts: frozenset[str] = frozenset()
    variables: tuple[Variable, ...] = ()
    """In the order in which they are computed."""


Said = tuple[Expression | str, ...]
"""What to tell a person, best first: the chosen language before English, an expression before a fixed text."""


@dataclass(frozen=True, slots=True)
class CompiledValidation:
    """A validation with its expressions."""

    document: Validation
    expression: Expression
    message: Said
    remediation: Said


@dataclass(frozen=True, slots=True)
class CompiledMutation:
    """A mutation with its expressions."""

    document: Mutation
    expression: Expression
    warning: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """One policy under one of its bindings (or under none). Immutable, shared between threads."""

    document: GuardPolicy
    binding: GuardPolicyBinding | None
    scope: str
    """The CEL container under which its params and variables are bound."""
    params: Mapping[str, Any] = field(repr=False)
    actions: frozenset[Action]
    conditions: tuple[tuple[str, Expression], ...]
    validations: tuple[CompiledValidation, ...]
    mutations: tuple[CompiledMutation, ...]
    audit_annotations: tuple[tuple[str, Expression], ...]
    for_conditions: Needs
    for_validations: Needs
    """What validations and audit annotations read, and their messages."""
    for_mutations: Needs

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.document.name

    @property
    def binding_name(self) -> str:
        """The binding's name; empty without one."""
        return self.binding.name if self.binding else ""


def compile_policies(
    documents: Documents, facts: Mapping[str, Fact]
) -> tuple[tuple[CompiledPolicy, ...], tuple[Problem, ...]]:
    """Compile every policy under every binding of it; returns them in order of name, and all problems, each once."""
    compiler = Compiler(facts)
    compiled: list[CompiledPolicy] = []
    problems: list[Problem] = list(_unknown_params(documents))
    for policy in sorted(documents.policies, key=lambda one: one.name):
        broken = schema.check_schema(dict(policy.param_schema))
        if broken:
            problems.append(Problem(policy.document.where(("spec", "paramSchema")), f"paramSchema: {broken}"))
            continue
        bindings = sorted((b for b in documents.bindings if b.policy_name == policy.name), key=lambda one: one.name)
        choices: list[GuardPolicyBinding | None] = [*bindings] or [None]
        for binding in choices:
            one = _PolicyCompiler(policy, binding, compiler, facts, scope=f"p{len(compiled)}", problems=problems)
            result = one.compile(documents.parameters["params"], documents.parameters["language"])
            if result is not None:
                compiled.append(result)
    return tuple(compiled), tuple(dict.fromkeys(problems))


def _unknown_params(documents: Documents) -> list[Problem]:
    """A shared parameter that no policy declares is a typo."""
    known = {name for policy in documents.policies for name in mapping(policy.param_schema, "properties")}
    document = documents.parameters_document
    if document is None:
        return []
    return [
        Problem(
            document.where(("spec", "params", name)),
            f"no policy has a parameter '{name}'",
            nearest(name, known) or f"known: {', '.join(sorted(known))}",
        )
        for name in documents.parameters["params"]
        if name not in known
    ]


class _PolicyCompiler:
    """Compiles one policy under one binding and gathers its problems."""

    def __init__(
        self,
        policy: GuardPolicy,
        binding: GuardPolicyBinding | None,
        compiler: Compiler,
        facts: Mapping[str, Fact],
        *,
        scope: str,
        problems: list[Problem],
    ) -> None:
        self._policy = policy
        self._binding = binding
        self._compiler = compiler
        self._facts = facts
        self._scope = scope
        self._problems = problems
        self._variables: dict[str, Variable] = {}
        self._types: dict[str, Type] = {}

    def compile(self, shared: Mapping[str, Any], language: str) -> CompiledPolicy | None:
        """Return the compiled policy, which speaks ``language``, or None when it has problems."""
        before = len(self._problems)
        params = self._params(shared)
        conditions = self._all([(c.name, c.expression) for c in self._policy.conditions], ("bool",))
        self._compile_variables()
        validations = [self._validation(one, language) for one in self._policy.validations]
        mutations = [self._mutation(one, language) for one in self._policy.mutations]
        annotations = self._annotations()
        if len(self._problems) > before:
            return None
        good_validations = tuple(one for one in validations if one)
        good_mutations = tuple(one for one in mutations if one)
        judging = [e for v in good_validations for e in (v.expression, *v.message, *v.remediation)]
        judging += [expression for _, expression in annotations]
        changing = [e for m in good_mutations for e in (m.expression, *m.warning)]
        own = self._policy.actions
        return CompiledPolicy(
            document=self._policy,
            binding=self._binding,
            scope=self._scope,
            params=params,
            actions=self._binding.actions or own if self._binding else own,
            conditions=conditions,
            validations=good_validations,
            mutations=good_mutations,
            audit_annotations=annotations,
            for_conditions=self._needs([expression for _, expression in conditions]),
            for_validations=self._needs(judging),
            for_mutations=self._needs(changing),
        )

    def _params(self, shared: Mapping[str, Any]) -> Mapping[str, Any]:
        """Defaults of paramSchema, over them the shared values of Parameters, over them the binding's own."""
        param_schema = self._policy.param_schema
        declared = mapping(param_schema, "properties")
        own = self._binding.params if self._binding else {}
        document = self._binding.document if self._binding else self._policy.document
        path: FilePath = ("spec", "params")
        for name in own:
            if name not in declared and not param_schema.get("additionalProperties"):
                hint = nearest(name, declared) or f"it has: {', '.join(sorted(declared)) or 'none'}"
                message = f"policy '{self._policy.name}' has no parameter '{name}'"
                self._problems.append(Problem(document.where((*path, name)), message, hint))
        params = {name: value for name, value in shared.items() if name in declared} | dict(own)
        params = schema.defaults(param_schema, params)
        for error in schema.check_value(params, param_schema):
            message = f"parameters of policy '{self._policy.name}': {error}"
            self._problems.append(Problem(document.where(path), message))
        return params

    def _compile_variables(self) -> None:
        anything: tuple[CelType, ...] = (
            "bool", "int", "double", "string", "list(map)", "map(dyn)", "dyn",
        )  # fmt: skip
        for variable in self._policy.variables:
            if variable.name in self._variables:
                where = variable.expression.where
                self._problems.append(Problem(where, f"variable '{variable.name}' stands twice", "rename one of them"))
                continue
            expression = self._one(variable.expression, anything)
            if expression is None:
                continue
            level = max((self._variables[name].level + 1 for name in expression.variables), default=0)
            self._variables[variable.name] = Variable(variable.name, expression, level)
            self._types[variable.name] = expression.type

    def _validation(self, validation: Validation, language: str) -> CompiledValidation | None:
        expression = self._one(validation.expression, ("bool",))
        message = self._said(validation.message, language)
        remediation = self._said(validation.remediation, language)
        return CompiledValidation(validation, expression, message, remediation) if expression else None

    def _mutation(self, mutation: Mutation, language: str) -> CompiledMutation | None:
        expression = self._one(mutation.expression, ("list(map)",) if mutation.json_patch else ("map(dyn)",))
        warning = self._said(mutation.warning, language)
        return CompiledMutation(mutation, expression, warning) if expression else None

    def _said(self, wordings: Wordings, language: str) -> Said:
        """Compile every language, so that a mistake in any shows when the policy is loaded; keep what may be said."""
        said: dict[str, list[Expression | str | None]] = {
            spoken: [self._one(wording.expression, ("string",)), wording.text] for spoken, wording in wordings.items()
        }
        return tuple(one for spoken in dict.fromkeys((language, ENGLISH)) for one in said.get(spoken, ()) if one)

    def _annotations(self) -> tuple[tuple[str, Expression], ...]:
        for annotation in self._policy.audit_annotations:
            key = f"{self._policy.name}.{annotation.name}"
            if len(key) > MAX_KEY:
                message = f"the audit annotation '{key}' has more than {MAX_KEY} characters"
                hint = "the API server would leave it out of its audit log; shorten the key"
                self._problems.append(Problem(annotation.expression.where, message, hint))
        return self._all([(a.name, a.expression) for a in self._policy.audit_annotations], ("string",))

    def _all(self, named: list[tuple[str, Text]], wanted: tuple[CelType, ...]) -> tuple[tuple[str, Expression], ...]:
        compiled = [(name, self._one(text, wanted)) for name, text in named]
        return tuple((name, expression) for name, expression in compiled if expression is not None)

    def _one(self, source: Text | None, wanted: tuple[CelType, ...]) -> Expression | None:
        if source is None:
            return None
        try:
            return self._compiler.compile(source, wanted, scope=self._scope, variables=self._types)
        except CompileError as error:
            self._problems.extend(error.problems)
            return None

    def _needs(self, expressions: Sequence[Expression | str]) -> Needs:
        facts: set[str] = set()
        waiting = [expression for expression in expressions if not isinstance(expression, str)]
        seen: set[str] = set()
        while waiting:
            expression = waiting.pop()
            facts |= expression.facts
            waiting += [self._variables[name].expression for name in expression.variables - seen]
            seen |= expression.variables
        variables = sorted((self._variables[name] for name in seen), key=lambda one: (one.level, one.name))
        return Needs(frozenset(facts), tuple(variables))
