"""``migguard diff``: what changes between two policy sets, or by manifests for running VMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission.natives import CATALOG
from webhook.cli import options
from webhook.errors import InputError, PolicyError, UsageError
from webhook.impact.blastradius import files as blastradiusfiles
from webhook.impact.blastradius import shown as blastradiusshown
from webhook.impact.blastradius import write as blastradiuswrite
from webhook.impact.blastradius.flight import in_flight
from webhook.impact.blastradius.radius import blast_radius
from webhook.impact.blastradius.write import applied
from webhook.impact.gittree import Opened, opened, opened_together, spread, together
from webhook.impact.policydiff import shown as policydiffshown
from webhook.impact.policydiff.compare import Side, diff, side
from webhook.impact.policydiff.effect import Trial, try_cases, try_vms
from webhook.model.request import UserInfo
from webhook.offline.state import ClusterSource, world_from
from webhook.offline.testing.suite import Suite, suites
from webhook.policy import loader

_POLICY_FORMS = {
    "table": policydiffshown.as_table,
    "json": policydiffshown.as_json,
    "markdown": policydiffshown.as_markdown,
}
_MANIFEST_FORMS = {
    "table": blastradiusshown.as_table,
    "json": blastradiusshown.as_json,
    "markdown": blastradiusshown.as_markdown,
}


@click.command("diff", short_help="Show what changes between policy sets, or by a manifest for running VMs.")
@click.argument("paths", metavar="[OLD NEW]", nargs=-1, type=click.Path())
@click.option(
    "--git",
    "revisions",
    metavar="REV[..REV]",
    default="",
    help="Compare revisions of a directory (policies), or of several that make one policy set.",
)
@click.option("--tests", "with_tests", is_flag=True, help="Run the tests of both policy sets against both.")
@click.option(
    "--manifest",
    "manifests",
    type=click.Path(),
    metavar="FILE",
    multiple=True,
    help="What would applying it change? Many times.",
)
@click.option("--delete", "deleting", is_flag=True, help="What would deleting the objects of --manifest change?")
@click.option(
    "--policies",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="Whose Parameters say how critical VMs are flagged; for manifests.",
)
@options.cluster
@options.identity
@options.output("table", "json", "markdown")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also where something differs.")
def command(  # noqa: PLR0913 - one argument for each option
    *,
    paths: tuple[str, ...],
    revisions: str,
    with_tests: bool,
    manifests: tuple[str, ...],
    deleting: bool,
    policies: tuple[Path, ...],
    source: ClusterSource,
    user: UserInfo | None,
    form: str,
    exit_zero: bool,
) -> int:
    """Show what changes between two policy sets, or what a manifest would change for running VMs.

    OLD and NEW are directories or files, or REV:PATH at a Git revision. Policies are compared by what they decide, not
    by how they are written; weakened ones come first. With --tests, or with a cluster (--cluster, --kubeconfig), the
    requests are shown too that are judged otherwise: those of the tests, and the migration of each running VM, asked
    for by --as USER (default: an administrator of the cluster) and for a drain.

    Manifests of HyperConverged, KubeVirt, MigrationPolicy, Namespace, VirtualMachine and VirtualMachineInstance are
    compared by the migration settings that result for each running VM of the cluster. A manifest counts as the whole
    object, as with kubectl replace.

    \b
    Examples:
      migguard diff main:policies policies --tests
      migguard diff --git main...HEAD policies -o markdown
      migguard diff --git main...HEAD base team overlays/prod --tests
      migguard diff --manifest hyperconverged.yaml --cluster snapshot
      migguard diff main:cluster/hyperconverged.yaml cluster/hyperconverged.yaml --kubeconfig ~/.kube/config

    Exit code: 0 no difference, 1 differences, 2 wrong use or input, 3 an error.
    """  # noqa: D301 - click's own mark
    if manifests:
        given = {"OLD NEW": bool(paths), "--git": bool(revisions), "--tests": with_tests, "--as": user is not None}
        _forbid("--manifest is given", given)
    if deleting and not manifests:
        raise UsageError("--delete needs --manifest", hint="the objects that would be deleted")
    with ExitStack() as stack:
        if manifests:
            found = [stack.enter_context(opened(one)) for one in manifests]
            differs = _manifests(found, None, deleting=deleting, source=source, policies=policies, form=form)
        else:
            old, new = (opened_together(one, stack, whole=with_tests) for one in _sides(paths, revisions))
            if all(blastradiusfiles.are_manifests(one.path) for one in (*old, *new)):
                _forbid("manifests are compared", {"--tests": with_tests, "--as": user is not None})
                differs = _manifests(new, old, deleting=False, source=source, policies=policies, form=form)
            else:
                lacking = user is not None and source == ClusterSource()
                _forbid("policies are compared", {"--policies": bool(policies), "--as without a cluster": lacking})
                differs = _policy_sets(old, new, source=source, user=user, with_tests=with_tests, form=form)
    return 1 if differs and not exit_zero else 0


def _forbid(where: str, given: Mapping[str, bool]) -> None:
    """Raise UsageError for what has no meaning here: nobody shall think that it was heeded."""
    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} means nothing where {where}", hint="leave it out; see migguard diff --help")


def _sides(paths: Sequence[str], revisions: str) -> tuple[Sequence[str], Sequence[str]]:
    """The spellings of what makes up either side."""
    if revisions:
        spellings = [spread(revisions, path) for path in paths or ("policies",)]
        return [old for old, _ in spellings], [new for _, new in spellings]
    if len(paths) != 2:  # noqa: PLR2004 - OLD and NEW
        raise UsageError(
            f"two things are compared, and {len(paths)} {'is' if len(paths) == 1 else 'are'} given",
            hint="migguard diff OLD NEW, --git REV..REV, or --manifest FILE; see --help",
        )
    return paths[:1], paths[1:]


def _policy_sets(
    old: Sequence[Opened],
    new: Sequence[Opened],
    *,
    source: ClusterSource,
    user: UserInfo | None,
    with_tests: bool,
    form: str,
) -> bool:
    """Compare two policy sets, print what differs, and say whether anything does."""
    found = diff(_side(old), _side(new))
    trials: list[Trial] = []
    if with_tests:
        trials.append(try_cases(found, *_suites(old, new)))
    if source != ClusterSource():
        trials.append(try_vms(found, world_from(source), user))
    text = _POLICY_FORMS[form](found, trials)
    for one in (*old, *new):
        text = one.told(text)
    click.echo(text)
    return bool(found.changes)


def _side(parts: Sequence[Opened]) -> Side:
    return side(together(parts), [one.path for one in parts], CATALOG, now=datetime.now(UTC))


def _suites(old: Sequence[Opened], new: Sequence[Opened]) -> tuple[Sequence[Suite], Sequence[Suite]]:
    """The tests of either side; one of them may have none."""
    found: list[Sequence[Suite]] = []
    for parts in (old, new):
        try:
            found.append(suites([one.path for one in parts]))
        except PolicyError:
            raise
        except InputError:
            found.append(())
    if not any(found):
        raise InputError("no PolicyTest was found", where=f"{together(old)}, {together(new)}", hint="leave --tests out")
    return found[0], found[1]


def _manifests(
    new: Sequence[Opened],
    old: Sequence[Opened] | None,
    *,
    deleting: bool,
    source: ClusterSource,
    policies: tuple[Path, ...],
    form: str,
) -> bool:
    """Work out what manifests change, print it, and say whether anything changes."""
    now = datetime.now(UTC)
    parameters = loader.load(policies, now=now).parameters if policies else loader.default_parameters()
    objects = blastradiusfiles.read(one.path for one in new)
    before = blastradiusfiles.read(one.path for one in old) if old is not None else None
    world = world_from(source)
    writes = blastradiuswrite.deleted(objects, world.view) if deleting else applied(objects, before, world.view)
    radius = blast_radius(blastradiuswrite.worlds(writes, world, parameters, now))
    click.echo(_MANIFEST_FORMS[form](radius, in_flight(radius)))
    return not radius.empty
