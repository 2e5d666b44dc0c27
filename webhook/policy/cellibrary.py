"""Kubernetes' CEL functions for the CEL runtime: give :func:`extensions` and :func:`configuration` to ``cel.NewEnv``.

The runtime has no opaque types, so a quantity, IP address, CIDR, URL, semantic version or permission check is a map of
its type's name and its text: ``{"type": "kubernetes.Quantity", "value": "2E+8"}``. Equal values have equal texts, so
that ``==`` works.

Cost of a function in Python, measured on cel-expr-python 0.1.3: 2 to 8 µs a call, and **it leaks**: the runtime never
releases the tuple of arguments, the arguments and the result (``PyCelFunctionAdapter::Invoke`` lacks the Py_DECREF). A
call with one string leaks 48 bytes plus the string, a result map 400, a list argument 30 for each element. Hence:

- lists, sets and their sorting come from the runtime itself, which does not leak;
- a list or map argument is emptied after the call (it was made for it), which leaves its header of about 60 bytes;
- maps that we return come from a bounded cache, so that equal values are one object.

With that, and an activation for each request (it holds results while it lives), ``quantity(x).isLessThan(quantity(y))``
leaks 420 bytes, a list function 145 whatever the length, a check of the authorizer 760: some 4 MB for ten thousand
decisions. A string argument still leaks its own size, so guard strings of a request: ``size(x) < 64 && isQuantity(x)``.
Facts have no such cost: prefer them.

Not available: ``sum``, ``min`` and ``max`` of durations and timestamps (the runtime cannot take them back from Python;
``sort()`` can order them), field and label selectors of the authorizer, and named formats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from webhook.model import quantity
from webhook.model.facts import Attributes
from webhook.model.request import AdmissionRequest
from webhook.policy import address, semver
from webhook.policy.accesscheck import Answer, Check, authorizing
from webhook.policy.celfunctions import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "authorizer_value", "authorizing", "configuration", "extensions"]

_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_STRINGS = cel.Type.List(cel.Type.STRING)
_PLAIN: Mapping[str, Any] = {
    "any": cel.Type.DYN,
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "list": cel.Type.List(cel.Type.DYN),
    "list(string)": _STRINGS,
    "map(string, list(string))": cel.Type.Map(cel.Type.STRING, _STRINGS),
}
_NATIVE = """
name: kubernetes
extensions:
  - name: lists
  - name: sets
  - name: two-var-comprehensions
"""
_SHARED = 4096
"""Values of our types that are kept; each is bounded by its parser to a few kB."""


@dataclass(frozen=True, slots=True)
class _Opaque:
    """A type that CEL sees as a map of the type's name and a text."""

    name: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


_OPAQUE: Mapping[str, _Opaque] = {
    "quantity": _Opaque("kubernetes.Quantity", quantity.canonical, quantity.from_canonical),
    "semver": _Opaque("kubernetes.Semver", str, semver.parse),
    "ip": _Opaque("net.IP", str, address.parse_ip),
    "cidr": _Opaque("net.CIDR", str, address.parse_cidr),
    "url": _Opaque("kubernetes.URL", lambda url: str(url.text), address.parse_url),
    "authorizer": _Opaque("kubernetes.authorization.Authorizer", Check.write, Check.read),
    "groupCheck": _Opaque("kubernetes.authorization.GroupCheck", Check.write, Check.read),
    "resourceCheck": _Opaque("kubernetes.authorization.ResourceCheck", Check.write, Check.read),
    "pathCheck": _Opaque("kubernetes.authorization.PathCheck", Check.write, Check.read),
    "decision": _Opaque("kubernetes.authorization.Decision", Answer.write, Answer.read),
}


def configuration() -> Any:
    """The parts of Kubernetes' CEL that the runtime offers only by name: pass it as ``config`` to ``cel.NewEnv``."""
    return cel.NewEnvConfigFromYaml(_NATIVE)


def extensions() -> list[Any]:
    """The standard extensions that Kubernetes has, and the functions of :data:`FUNCTIONS` that are ours."""
    standard = [
        ext_bindings.ExtBindings(),
        ext_encoders.ExtEncoders(),
        ext_math.ExtMath(),
        ext_optional.ExtOptional(),
        ext_strings.ExtStrings(),
    ]
    return [*standard, cel.CelExtension("kubernetes", _declarations())]


def authorizer_value(request: AdmissionRequest) -> dict[str, Any]:
    """The value of the variable ``authorizer`` for a request, with ``authorizer.requestResource`` of its object."""
    resource = request.resource
    attributes = Attributes(
        verb="",
        group=resource.group,
        resource=resource.resource,
        subresource=request.subresource,
        namespace=request.namespace,
        name=request.name,
    )
    own = _encode("resourceCheck", Check(request.user, attributes))
    return {**_encode("authorizer", Check(request.user)), "requestResource": own}


@cache
def _declarations() -> list[Any]:
    """One declaration for each name; a function of several types of ours (isLessThan) is one overload for CEL."""
    overloads: dict[str, dict[tuple[str, ...], list[Function]]] = defaultdict(lambda: defaultdict(list))
    for function in FUNCTIONS:
        if function.implementation is not None:
            shape = (str(bool(function.receiver)), *(str(_type(kind).name()) for kind in _kinds(function)))
            overloads[function.name][shape].append(function)
    return [
        cel.FunctionDecl(name, [_overload(group) for group in groups.values()]) for name, groups in overloads.items()
    ]


def _overload(group: list[Function]) -> Any:
    first = group[0]
    identity = "_".join(["kubernetes", *_kinds(first), first.name]).replace(".", "_").replace("(", "_").replace(")", "")
    return cel.Overload(
        identity, _type(first.result), [_type(kind) for kind in _kinds(first)], bool(first.receiver), _callable(group)
    )


def _callable(group: list[Function]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        try:
            function = _choose(group, arguments[0])
            values = [_decode(function, kind, value) for kind, value in zip(_kinds(function), arguments, strict=True)]
            assert function.implementation is not None  # noqa: S101 - only such functions are declared
            return _encode(function.result, function.implementation(*values))
        finally:
            for argument in arguments:
                if isinstance(argument, list | dict):
                    argument.clear()

    return call


def _choose(group: list[Function], first: Any) -> Function:
    """The function for the type of the first argument; the first of the group where none fits, which then says so."""
    if len(group) > 1 and isinstance(first, dict):
        name = first.get("type")
        return next((one for one in group if _OPAQUE[_kinds(one)[0]].name == name), group[0])
    return group[0]


def _kinds(function: Function) -> tuple[str, ...]:
    return (function.receiver, *function.parameters) if function.receiver else function.parameters


def _type(kind: str) -> Any:
    return _MAP if kind in _OPAQUE else _PLAIN[kind]


def _decode(function: Function, kind: str, value: Any) -> Any:
    opaque = _OPAQUE.get(kind)
    if opaque is None:
        return value
    if value.get("type") != opaque.name or not isinstance(value.get("value"), str):
        raise ValueError(f"{function.signature.partition(' ->')[0]} was called with something that is no {kind}")
    return opaque.read(value["value"])


def _encode(kind: str, value: Any) -> Any:
    opaque = _OPAQUE.get(kind)
    return value if opaque is None else _shared(opaque.name, opaque.write(value))


@lru_cache(maxsize=_SHARED)
def _shared(name: str, text: str) -> dict[str, str]:
    return {"type": name, "value": text}
