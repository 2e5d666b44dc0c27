"""The CEL runtime behind compile and evaluate. No other module but its function library knows the runtime.

What it guards against (checked against cel-expr-python 0.1.3, see tests/unit/policy/test_cel.py):

- An evaluation error is a *value*, and a truthy one. :meth:`Expression.test` accepts True and False by identity and
  makes an error of everything else, so that a failed evaluation can never pass.
- Errors come on two channels (exceptions and error values); both become :class:`EvaluationError`.
- One evaluation is bounded by the runtime at 10,000 loop steps and parse depth 32; it has no cost limit and no
  interrupt, so the length of an expression is bounded by its schema and the size of objects where requests are parsed.
- Binding plain data costs about 50 µs per kB at first use in each activation: build one activation and share it.
- The runtime takes no times from outside (it gives them as datetime and timedelta), no integers beyond 64 bit (one of
  them anywhere in an object makes every use of that object an error), and it cuts texts at a NUL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cel_expr_python import cel

from webhook.errors import Problem
from webhook.model.facts import CelType, Fact
from webhook.model.objects import JSON
from webhook.policy.cellibrary import configuration, extensions
from webhook.policy.document import Text
from webhook.policy.spelling import nearest

NATIVE = ("object", "oldObject", "request", "params")
"""Variables that every expression knows; ``variables.NAME`` are declared policy by policy, all else are facts."""

Type: TypeAlias = cel.Type

_TYPES: Mapping[CelType, Any] = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "dyn": cel.Type.DYN,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "list(map)": cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN)),
    "map(string)": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "map(dyn)": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_ANY = cel.NewEnv()
"""Activations are not tied to the environment that an expression was compiled in."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")
_LOCATION = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNBOUND = re.compile(r'No value with name "([^"]+)" found in Activation')
_FOREIGN = re.compile(r"Non-CEL value type for '(?:p\d+\.)?([\w.]+).*': ([\w.]+)\.$", re.DOTALL)
_TIMES = frozenset({"timestamp", "duration"})


class EvaluationError(Exception):
    """An expression could not be evaluated; ``unbound`` names what had no value, if that is why."""

    def __init__(self, message: str, *, unbound: str = "") -> None:
        super().__init__(message)
        self.unbound = unbound


class CompileError(Exception):
    """An expression cannot be used; carries one problem for each error found in it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Activation:
    """The values of one evaluation. What is bound is converted at first use and then shared by all expressions."""

    bound: Any = field(repr=False)


def activation(values: Mapping[str, JSON]) -> Activation:
    """Bind values by (dotted) name; a name that is left out is an EvaluationError only where an expression needs it."""
    return Activation(_ANY.Activation(dict(values)))


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, and the facts and variables it may read. Safe to share between threads."""

    source: Text
    facts: frozenset[str]
    variables: frozenset[str]
    """Names of ``variables.NAME`` that it may read."""
    type: Type = field(repr=False)
    _compiled: Any = field(repr=False, compare=False)

    def evaluate(self, values: Activation) -> JSON:
        """Return the value as plain Python, maps in order of their keys. Raises EvaluationError."""
        try:
            result = self._compiled.eval(values.bound)
            if result.type() == cel.Type.ERROR or result.type() == cel.Type.UNKNOWN:
                raise _evaluation_error(str(result.plain_value()))
            return _ordered(result.plain_value())
        except (RuntimeError, TypeError, ValueError) as error:
            raise _evaluation_error(str(error)) from error

    def test(self, values: Activation) -> bool:
        """Return the truth of a boolean expression. Raises EvaluationError for anything but True and False."""
        result = self.evaluate(values)
        if result is True or result is False:
            return result
        raise EvaluationError(f"gave {type(result).__name__} {str(result)[:80]!r} where true or false is needed")


def _ordered(value: JSON) -> JSON:
    """The runtime gives maps in an order that differs from process to process; a patch must not."""
    if isinstance(value, dict):
        try:
            keys = sorted(value)
        except TypeError:
            keys = sorted(value, key=lambda key: (type(key).__name__, key))
        return {key: _ordered(value[key]) for key in keys}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


class Compiler:
    """Compiles expressions of one policy set; keeps environments while it lives. Used by one thread."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._facts = facts
        self._environments: dict[tuple[str, ...], Any] = {}

    def compile(
        self, source: Text, wanted: Iterable[CelType], *, scope: str = "", variables: Mapping[str, Type] | None = None
    ) -> Expression:
        """Compile and type-check an expression whose result must be one of the ``wanted`` types.

        A result of type dyn is let through here and checked when it is evaluated. ``scope`` is the name under which
        this policy's params and variables are bound, see :func:`scoped`; ``variables`` are those declared before this
        expression, with their types. Raises CompileError with file:line:column.
        """
        declarations = variables or {}
        names = {re.sub(r"\s", "", name) for name in _DOTTED.findall(source.text)}
        read = {beginning for name in names for beginning in _beginnings(name)}
        used_facts = self._facts.keys() & read
        used_variables = {name for name in declarations if f"variables.{name}" in read}
        declared = {name: _TYPES[self._facts[name].cel_type] for name in sorted(used_facts)}
        declared |= {scoped(scope, f"variables.{name}"): declarations[name] for name in sorted(used_variables)}
        try:
            compiled = self._environment(scope, declared).compile(source.text)
        except (RuntimeError, ValueError, TypeError) as error:
            known = [*self._facts, *NATIVE, *(f"variables.{name}" for name in declarations)]
            raise CompileError(tuple(_problems(str(error), source, names, known))) from error
        result_type = compiled.return_type()
        _check_type(result_type, tuple(wanted), source)
        return Expression(source, frozenset(used_facts), frozenset(used_variables), result_type, compiled)

    def _environment(self, scope: str, declared: Mapping[str, Any]) -> Any:
        """An environment that knows VAP's variables and just these others; anything else is an undeclared reference."""
        key = (scope, *(f"{name}:{_type_name(of)}" for name, of in declared.items()))
        if key not in self._environments:
            own = scoped(scope, "params")
            variables = {own if name == "params" else name: cel.Type.DYN for name in NATIVE}
            self._environments[key] = cel.NewEnv(
                config=configuration(),
                variables=variables | dict(declared),
                extensions=extensions(),
                container=scope or None,
            )
        return self._environments[key]


def scoped(scope: str, name: str) -> str:
    """The name under which a policy's ``params`` or ``variables.NAME`` is bound.

    Policies have params and variables of their own but share one activation: each is compiled in a CEL container, in
    which ``params`` means ``SCOPE.params``.
    """
    return f"{scope}.{name}" if scope else name


def _check_type(result_type: Type, wanted: tuple[CelType, ...], source: Text) -> None:
    """Hold the outermost type against what is needed; what is inside a list or map is checked when it is used."""
    given = _type_name(result_type)
    if given != "dyn" and all(given.split("<")[0] != name.split("(")[0] for name in wanted):
        message = f"the expression gives {given}, but {' or '.join(wanted)} is needed here"
        hint = "a time cannot be passed on: use it in place, or pass string(...) of it" if given in _TIMES else ""
        raise CompileError((Problem(source.where, message, hint),))


def _beginnings(name: str) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``: each may be a fact, of which the rest are fields."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)
    yield name


def _problems(text: str, source: Text, names: set[str], known: list[str]) -> Iterable[Problem]:
    """Turn the compiler's text into problems at the place in the policy file, with what was probably meant."""
    found = dict.fromkeys(match.groups() for line in text.splitlines() if (match := _LOCATION.search(line)))
    if not found:
        yield Problem(source.where, f"CEL: {text.splitlines()[0] if text else 'not a valid expression'}")
    for line, column, message in found:
        offset = _offset(source.text, int(line), int(column))
        where = source.document.where_in_text(source.path, offset)
        hint = ""
        undeclared = re.search(r"undeclared reference to '([^']+)'", message)
        if undeclared:
            root = undeclared.group(1)
            written = max(
                (name for name in names if name == root or name.startswith(f"{root}.")), key=len, default=root
            )
            roots = {name.partition(".")[0] for name in known}
            hint = nearest(written, known) or nearest(written.partition(".")[0], sorted(roots))
        yield Problem(where, f"CEL: {re.sub(r' [(]in container .*[)]$', '', message)}", hint)


def _offset(text: str, line: int, column: int) -> int:
    """Characters before a place; the compiler says -1 where it means the whole expression."""
    return sum(len(one) + 1 for one in text.split("\n")[: max(line - 1, 0)]) + max(column - 1, 0)


def _evaluation_error(text: str) -> EvaluationError:
    if unbound := _UNBOUND.search(text):
        return EvaluationError(f"{unbound.group(1)} is not available", unbound=unbound.group(1))
    if foreign := _FOREIGN.search(text):
        name, kind = foreign.groups()
        return EvaluationError(f"{name} holds a {kind}, which cannot be passed to another expression")
    return EvaluationError(re.sub(r"^[A-Z_]+: ", "", text) or "the evaluation failed without saying why")


def _type_name(result_type: Type) -> str:
    return str(result_type).lower()
