"""``migguard explain``: why a request is decided as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import yaml

from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.cli import options
from webhook.errors import UsageError
from webhook.impact.vm.explain import Explanation, as_json, of_vm, render
from webhook.impact.vm.name import Presence, VMName, migration_request
from webhook.model.request import AdmissionRequest, Phase, UserInfo
from webhook.offline.reviewfile import read_review
from webhook.offline.state import ClusterSource, world_from
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.trace import trace
from webhook.output.structured import json_text
from webhook.policy.policyset import PolicySet, load, only

_NOBODY = UserInfo(username="")


@click.command("explain", short_help="Show how a request, or the migration of a VM, is decided and why.")
@click.option(
    "-f",
    "--filename",
    type=click.Path(),
    metavar="FILE",
    default="",
    help="AdmissionReview, JSON or YAML; - for stdin.",
)
@click.option("--vm", "vm", metavar="NAMESPACE/NAME", default="", help="A VM: the migration that --as would start.")
@options.identity
@options.policies
@options.cluster
@click.option("--policy", "names", metavar="NAME", multiple=True, help="Only this policy; many times.")
@click.option(
    "--phase",
    "phases",
    type=click.Choice([phase.value for phase in Phase]),
    multiple=True,
    help="Only this call of the webhook; both by default.",
)
@click.option("--all", "everything", is_flag=True, help="Whole values, and the policies for other requests too.")
@options.output("table", "json", "yaml")
def command(  # noqa: PLR0913 - one argument for each option
    *,
    filename: str,
    vm: str,
    user: UserInfo | None,
    policies: tuple[Path, ...],
    source: ClusterSource,
    names: tuple[str, ...],
    phases: tuple[str, ...],
    everything: bool,
    form: str,
) -> int:
    """Show how one request is decided, and why.

    Each policy: matched or why not; each condition, variable and fact with its value and where it comes from; verdict
    and time. For a VM also the migration settings in force, what sets each, and which MigrationPolicy applies and why.

    \b
    Examples:
      migguard explain -f review.yaml --policies policies --cluster examples/cluster
      migguard explain --vm prod/db --as alice --policies policies --cluster examples/cluster
      migguard explain --vm prod/db --as alice --policy migration-limits --policies policies

    Exit code: 0 allowed, 1 denied, 2 wrong use or input, 3 an error.
    """  # noqa: D301 - click's own mark
    if bool(filename) == bool(vm):
        raise UsageError("say what to explain", hint="one of --filename FILE and --vm NAMESPACE/NAME")
    if filename and user is not None:
        raise UsageError("--as goes with --vm", hint="an AdmissionReview says itself who asks")
    named = VMName.parse(vm) if vm else None
    loaded = only(load(policies, CATALOG), names)
    chosen = tuple(Phase(phase) for phase in phases) or tuple(Phase)
    if named is None:
        explanation = _of_request(read_review(filename), loaded, world_from(source), chosen)
    else:
        explanation = _of_vm(named, user, loaded, world_from(source), chosen)
    click.echo(_shown(explanation, form, everything=everything))
    return 0 if explanation.allowed else 1


def _of_request(request: AdmissionRequest, policies: PolicySet, world: World, phases: tuple[Phase, ...]) -> Explanation:
    return Explanation(trace=trace(request, phases, policies=policies, world=world, now=datetime.now(UTC)))


def _of_vm(
    named: VMName, user: UserInfo | None, policies: PolicySet, world: World, phases: tuple[Phase, ...]
) -> Explanation:
    Presence.of(named, world.view)
    now = datetime.now(UTC)
    request = migration_request(named, user or _NOBODY, world.view)
    judged = trace(request, phases, policies=policies, world=world, now=now) if user is not None else None
    return of_vm(FactSources(policies, world, now).context(request, world.view), judged, policies)


def _shown(explanation: Explanation, form: str, *, everything: bool) -> str:
    match form:
        case "json":
            return json_text(as_json(explanation))
        case "yaml":
            content = json.loads(json_text(as_json(explanation)))  # no shared parts, hence no anchors
            return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True)).rstrip()
        case _:
            return render(explanation, everything=everything)
