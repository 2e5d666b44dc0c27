"""``migguard snapshot``: take from a cluster what decisions need, so that they can be made without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.cli import options
from webhook.offline.snapshot import take
from webhook.offline.state import ClusterSource, to_stderr
from webhook.output.wording import counted


@click.command("snapshot", short_help="Take what decisions need from a cluster.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.cluster
@click.option("--force", is_flag=True, help="Write also where DIR holds other files; they stay.")
def command(folder: Path, source: ClusterSource, *, force: bool) -> int:
    """Take from a cluster just what decisions need, into DIR, for --cluster DIR of all other commands.

    Only the fields that migguard reads are kept: no secrets, no cloud-init user data, no environment variables, no
    annotations but those that KubeVirt and migguard obey. Resources that your account may not list are left out and
    named in DIR/snapshot.yaml; decisions that would need them then say so. The files are made for Git: one for each
    namespace and each cluster-scoped kind, in stable order. Up to 1,000 objects they are YAML, beyond that JSON.

    A run that fails leaves an earlier snapshot as it was. With --cluster DUMP, a folder of manifests is read instead of
    a live cluster.

    \b
    Examples:
      migguard snapshot prod/                             # the cluster that kubectl speaks to
      migguard snapshot prod/ --context prod-admin
      migguard snapshot prod/ --cluster must-gather/      # manifests, such as a support dump
      migguard check -f vm.yaml --policies policies/ --cluster prod/

    Exit code: 0 taken, 2 wrong use or input, 3 the cluster cannot be read.
    """  # noqa: D301 - click's own mark
    header = take(source, folder, force=force, now=datetime.now(UTC), tell=to_stderr)
    unread = f"; {counted(len(header.unreadable), 'resource')} could not be read" if header.unreadable else ""
    click.echo(f"{folder}: {counted(sum(header.counts.values()), 'object')}{unread}")
    return 0
