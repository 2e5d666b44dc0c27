"""Why a request is decided as it is, and what a migration of a VM would be done with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook.errors import FactUnavailable
from webhook.impact.vm.membership import doubt
from webhook.impact.vm.refusals import by_policies
from webhook.impact.vm.settings import VMSettings, settings_of
from webhook.model.facts import FactContext
from webhook.model.objects import JSON
from webhook.offline.tracing.asjson import as_json as trace_as_json
from webhook.offline.tracing.steps import Trace
from webhook.offline.tracing.text import render as render_trace
from webhook.output.tables import columns, plain
from webhook.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to tell: at least one of the two."""

    settings: VMSettings | None = None
    """Of the VM that was asked about."""
    unknown: str = ""
    """Why those are not known, where they were asked for."""
    trace: Trace | None = None
    """Of the request; None where nobody was named who makes it."""
    unsure: str = ""
    """Why a refusal may not hold, as groups of the requester may be missing; mostly empty."""

    @property
    def allowed(self) -> bool:
        """Whether the request is let through; also where none was judged."""
        return self.trace is None or self.trace.allowed


def of_vm(context: FactContext, trace: Trace | None, policies: PolicySet) -> Explanation:
    """Return what there is to tell of the VM that the request of a context is about, made by whom ``--as`` names."""
    refused = by_policies(trace) if trace is not None else []
    unsure = doubt((fact for one in refused for fact in one.facts), context, policies)
    try:
        return Explanation(settings=settings_of(context), trace=trace, unsure=unsure)
    except FactUnavailable as error:
        return Explanation(unknown=str(error), trace=trace, unsure=unsure)


def render(explanation: Explanation, *, everything: bool = False) -> str:
    """Return it as text for a terminal; ``everything`` shows whole values and policies for other requests too."""
    parts: list[str] = []
    if explanation.unknown:
        parts.append(plain(f"The migration settings of the VM are not known: {explanation.unknown}"))
    if explanation.settings is not None:
        parts.append("\n".join(_settings(explanation.settings)))
    if explanation.trace is not None:
        parts.append(render_trace(explanation.trace, verbose=everything, times=True))
    else:
        parts.append("Nobody is named who would migrate it (--as USER), so no policy was judged.")
    if explanation.unsure:
        parts.append(plain(f"Note: {explanation.unsure}."))
    return "\n\n".join(parts)


def as_json(explanation: Explanation) -> dict[str, JSON]:
    """Return all of it for machines."""
    settings, trace = explanation.settings, explanation.trace
    shown: dict[str, JSON] = {"migrationSettings": settings_as_json(settings)} if settings is not None else {}
    if explanation.unknown:
        shown = {"migrationSettings": None, "unknown": explanation.unknown}
    if explanation.unsure:
        shown["unsure"] = explanation.unsure
    return shown | (trace_as_json(trace, times=True) if trace is not None else {})


def settings_as_json(settings: VMSettings) -> dict[str, JSON]:
    """Return the settings of a VM for machines: bytes and seconds as numbers."""
    return {
        "namespace": settings.namespace,
        "name": settings.name,
        "migrationPolicy": settings.policy,
        "note": settings.note,
        "fields": {row.field.name: {"value": row.value, "setBy": row.source} for row in settings.rows},
        "migrationPolicies": [
            {"name": one.name, "applies": one.applies, "why": one.why} for one in settings.contenders
        ],
    }


def _settings(settings: VMSettings) -> Iterator[str]:
    yield plain(f"Migration settings of VM {settings.namespace}/{settings.name}")
    if settings.note:
        yield f"({settings.note})"
    yield ""
    yield columns(["field", "value", "set by"], [(row.field.name, row.shown, row.source) for row in settings.rows])
    yield from _policies(settings)


def _policies(settings: VMSettings) -> Iterator[str]:
    yield ""
    winner = [one for one in settings.contenders if one.applies]
    others: Sequence[str] = [f"{one.name}: {one.why}" for one in settings.contenders if not one.applies]
    for one in winner:
        yield plain(
            f"MigrationPolicy {one.name} applies: it {one.why}."
            if one.why.startswith("selects")
            else f"MigrationPolicy {one.name}: {one.why}."
        )
    if not winner:
        yield "No MigrationPolicy applies to it." if others else "There is no MigrationPolicy."
    if others:
        yield "Others do not apply:" if winner else "Why not:"
        yield from (f"  {plain(other)}" for other in others)
