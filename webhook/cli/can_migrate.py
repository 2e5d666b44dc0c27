"""``migguard can-migrate``: may somebody migrate a VM now, and if not, why and what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission.natives import CATALOG
from webhook.cli import options
from webhook.errors import UsageError
from webhook.impact.vm.canmigrate import can_migrate
from webhook.impact.vm.canmigratetext import as_json, render
from webhook.impact.vm.name import VMName
from webhook.model.request import UserInfo
from webhook.offline.state import ClusterSource, connected, world_from
from webhook.output.structured import json_text
from webhook.policy.policyset import load


@click.command("can-migrate", short_help="Say whether somebody may migrate a VM, and why not.")
@click.argument("vm", metavar="NAMESPACE/VM")
@click.option(
    "-n", "--namespace", metavar="NAMESPACE", default="", help="Namespace, where the argument names only a VM."
)
@options.identity
@options.policies
@options.cluster
@options.output("table", "json")
def command(
    *,
    vm: str,
    namespace: str,
    user: UserInfo | None,
    policies: tuple[Path, ...],
    source: ClusterSource,
    form: str,
) -> int:
    """Say whether somebody may migrate a VM now: yes or no, every reason, and what to do about each.

    All that is in the way is told at once: the right that is missing, each policy that refuses, and what KubeVirt
    itself would say. Then what is fine, and the settings that the migration would be done with. Without --as it is
    about you, as the API server of the kubeconfig knows you. In which groups somebody else is no cluster tells: name
    them with --as-group, as the right to migrate is mostly given to groups.

    \b
    Examples:
      migguard can-migrate prod/db --as alice --policies policies --cluster examples/cluster
      migguard can-migrate db -n prod --policies policies
      kubectl migguard can-migrate prod/db --as alice --as-group team-a --policies policies

    Exit code: 0 yes, 1 no, 2 wrong use or no such VM, 3 an error.
    """  # noqa: D301 - click's own mark
    named = VMName.parse(vm, namespace)
    asking = user or _current(source)
    loaded = load(policies, CATALOG)
    world = world_from(source)
    answer = can_migrate(named, asking, policies=loaded, world=world, now=datetime.now(UTC), groups_known=user is None)
    click.echo(json_text(as_json(answer)) if form == "json" else render(answer))
    return 0 if answer.allowed else 1


def _current(source: ClusterSource) -> UserInfo:
    if source.manifests:
        raise UsageError("manifests do not say who asks", hint="name somebody: --as USER")
    from webhook.cluster.whoami import whoami  # noqa: PLC0415 - the kubernetes client is for live clusters only

    return whoami(connected(source))
