"""Holds what a request came to against what a case of a policy test expects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from webhook.model.decision import Action, Result
from webhook.model.objects import JSON, same
from webhook.offline.outcome import Outcome
from webhook.offline.testing.expectation import Expectation, finds


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that did not come out as expected."""

    field: str
    expected: str
    """As JSON, or in words; empty where ``got`` says it all."""
    got: str
    hint: str = ""
    """What to write, in several lines."""
    wanted: str = ""
    """The text or /expression/ that was not found."""
    found: tuple[str, ...] = ()
    """The texts that were there."""

    def __str__(self) -> str:
        return (
            f"{self.field}: expected {self.expected}, got {self.got}" if self.expected else f"{self.field}: {self.got}"
        )


def compare(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    """Yield what is not as expected."""
    for name in ("allowed", "code", "reason"):
        wanted, got = getattr(expect, name), getattr(outcome.last, name)
        if wanted is not None and wanted != got:
            yield Mismatch(name, _shown(wanted), _shown(got))
    if expect.policy is not None and expect.policy not in (named := _policies(outcome)):
        yield Mismatch("policy", expect.policy, ", ".join(named) or "none that refuses, warns or changes anything")
    yield from _message(expect, outcome)
    yield from _warnings(expect, outcome)
    yield from _errors(expect, outcome)
    yield from _changes(expect, outcome)
    yield from _annotations(expect, outcome)
    yield from _judgement(expect, outcome)


def _policies(outcome: Outcome) -> list[str]:
    """Policies that refused; if none did, those that found or changed something."""
    found = [
        one for one in outcome.evaluations if one.result in {Result.FAIL, Result.ERROR} or one.patch or one.warnings
    ]
    if not outcome.last.allowed:
        found = [one for one in found if any(Action.DENY in violation.actions for violation in one.violations)] or found
    return list(dict.fromkeys(one.policy for one in found))


def _message(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    message = outcome.last.message
    if expect.message == () and message:
        yield _unwanted("message", message)
    for pattern in expect.message or ():
        if not finds(pattern, message):
            yield Mismatch("message", _shown(pattern), _shown(message), wanted=pattern, found=_some(message))


def _warnings(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    if expect.warnings == () and outcome.warnings:
        yield _unwanted("warnings", *outcome.warnings)
    for pattern in expect.warnings or ():
        if not any(finds(pattern, warning) for warning in outcome.warnings):
            yield _missing("warnings", pattern, outcome.warnings)


def _errors(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    """An evaluation that failed is a mismatch unless the case is about that."""
    errors = tuple(dict.fromkeys(f"policy {one.policy}: {one.error}" for one in outcome.evaluations if one.error))
    for error in errors:
        if not any(finds(pattern, error) for pattern in expect.errors):
            expected = _shown(list(expect.errors)) if expect.errors else "none"
            yield Mismatch("errors", expected, _shown(error), found=(error,))
    for pattern in expect.errors:
        if not any(finds(pattern, error) for error in errors):
            yield _missing("errors", pattern, errors)


def _missing(field: str, pattern: str, texts: tuple[str, ...]) -> Mismatch:
    return Mismatch(field, _shown(pattern), _shown(list(texts)), wanted=pattern, found=texts)


def _unwanted(field: str, *texts: str) -> Mismatch:
    return Mismatch(field, "none", _shown(texts[0] if field == "message" else list(texts)), found=texts)


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _changes(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    if expect.patch is not None and not same(list(expect.patch), list(outcome.patch)):
        yield Mismatch("patch", _shown(list(expect.patch)), _shown(list(outcome.patch)))
    if expect.patched is not None:
        yield from _subset(dict(expect.patched), outcome.object, "patched")


def _subset(wanted: JSON, got: JSON, path: str) -> Iterator[Mismatch]:
    """What of ``wanted`` is not in ``got``: mappings may hold more, everything else is compared whole."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, item in wanted.items():
            if key in got:
                yield from _subset(item, got[key], f"{path}.{key}")
            else:
                yield Mismatch(f"{path}.{key}", _shown(item), "nothing there")
    elif not same(wanted, got):
        yield Mismatch(path, _shown(wanted), _shown(got))


def _annotations(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    got = outcome.audit_annotations
    for key, pattern in expect.audit_annotations.items():
        field = f"auditAnnotations.{key}"
        if pattern is None and key in got:
            yield Mismatch(field, "none", _shown(got[key]), found=(got[key],))
        if pattern is not None and (key not in got or not finds(pattern, got[key])):
            told = _some(got.get(key, ""))
            yield Mismatch(field, _shown(pattern), _shown(got[key]) if told else "none", wanted=pattern, found=told)


def _judgement(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    """How it came to the decision: origin, exemption, facts, and what each policy found."""
    if expect.origin is not None and expect.origin != outcome.origin:
        yield Mismatch("origin", expect.origin, outcome.origin)
    used = outcome.exemptions
    if expect.exemption is not None and expect.exemption not in (used or ("",)):
        yield Mismatch("exemption", expect.exemption or "none", ", ".join(used) or "none")
    for name, wanted in expect.facts.items():
        if name in outcome.facts:
            yield from _subset(wanted, outcome.facts[name], f"facts.{name}")
        else:
            reason = outcome.unavailable.get(name, "no policy that was judged reads it")
            yield Mismatch(f"facts.{name}", _shown(wanted), f"nothing: {reason}")
    for policy, wanted in expect.results.items():
        got = outcome.results.get(policy, "none")
        if wanted != got:
            yield Mismatch(f"results.{policy}", wanted, got)


def _shown(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
