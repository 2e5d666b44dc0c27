"""CEL's ``authorizer``: permission questions that a policy builds step by step and asks with ``check(verb)``.

The question itself is answered by a function that :func:`authorizing` sets for the time of an evaluation.

Source: ``k8s.io/apiserver/pkg/cel/library/authz.go``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from webhook.errors import FactUnavailable
from webhook.model.facts import Attributes
from webhook.model.request import UserInfo

Authorize: TypeAlias = Callable[[UserInfo, Attributes], bool]
"""Says whether the user may; raises FactUnavailable when nobody can tell."""

_authorize: ContextVar[Authorize | None] = ContextVar("authorize", default=None)
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 253


@contextmanager
def authorizing(authorize: Authorize) -> Iterator[None]:
    """Answer the ``check`` calls of expressions that are evaluated inside, in this thread, by ``authorize``."""
    token = _authorize.set(authorize)
    try:
        yield
    finally:
        _authorize.reset(token)


@dataclass(frozen=True, slots=True)
class Check:
    """A question so far: who, and what of it was said. An authorizer or group check is one with little said."""

    user: UserInfo
    attributes: Attributes = Attributes(verb="", group="", resource="")  # noqa: RUF009 - frozen

    def write(self) -> str:
        """Return it as text; the same question always gives the same text."""
        return json.dumps([asdict(self.user), asdict(self.attributes)], sort_keys=True, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Check:
        """Read back what :meth:`write` wrote. Raises ValueError."""
        try:
            user, attributes = json.loads(text)
            extra = {key: tuple(values) for key, values in user.pop("extra").items()}
            return cls(UserInfo(**user | {"groups": tuple(user["groups"]), "extra": extra}), Attributes(**attributes))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError("this is not a check of the authorizer") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a check."""

    allowed: bool
    reason: str
    error: str = ""

    def write(self) -> str:
        """Return it as text."""
        return json.dumps([self.allowed, self.reason, self.error])

    @classmethod
    def read(cls, text: str) -> Answer:
        """Read back what :meth:`write` wrote. Raises ValueError."""
        try:
            allowed, reason, error = json.loads(text)
        except (ValueError, TypeError):
            raise ValueError("this is not a decision of the authorizer") from None
        return cls(allowed is True, str(reason), str(error))


def for_service_account(_check: Check, namespace: str, name: str) -> Check:
    """Ask for a service account instead of the requester. Raises ValueError for names that cannot be."""
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(f"{namespace[:80]!r} is not the name of a namespace")
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not the name of a service account")
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return Check(UserInfo(username=f"system:serviceaccount:{namespace}:{name}", groups=groups))


def with_path(check: Check, path: str) -> Check:
    """Ask about a path that is no resource, such as /healthz. Raises ValueError for an empty one."""
    return _with(check, path=_named("path", path))


def with_group(check: Check, group: str) -> Check:
    """Ask about an API group; empty is the core group."""
    return _with(check, group=group)


def with_resource(check: Check, resource: str) -> Check:
    """Ask about a resource, by its plural name. Raises ValueError for an empty one."""
    return _with(check, resource=_named("resource", resource))


def with_subresource(check: Check, subresource: str) -> Check:
    """Ask about a subresource; empty is the resource itself."""
    return _with(check, subresource=subresource)


def with_namespace(check: Check, namespace: str) -> Check:
    """Ask about a namespace; empty is the whole cluster."""
    return _with(check, namespace=namespace)


def with_name(check: Check, name: str) -> Check:
    """Ask about one object; empty is all of them."""
    return _with(check, name=name)


def ask(check: Check, verb: str) -> Answer:
    """Ask the question. An answer that cannot be had is an Answer with an error, which is not allowed."""
    authorize = _authorize.get()
    if authorize is None:
        raise ValueError("authorizer has no one to ask here: checks work only while a request is decided")
    attributes = replace(check.attributes, verb=verb)
    try:
        allowed = authorize(check.user, attributes)
    except FactUnavailable as error:
        return Answer(allowed=False, reason="", error=str(error))
    return Answer(allowed, f"{check.user.username} {'may' if allowed else 'may not'} {attributes}")


def _with(check: Check, **said: Any) -> Check:
    return replace(check, attributes=replace(check.attributes, **said))


def _named(what: str, text: str) -> str:
    if not text.strip():
        raise ValueError(f"{what} must not be empty")
    return text
