"""``migguard check``: judge the manifests of a Git repository as if they were applied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission.natives import CATALOG
from webhook.cli import options
from webhook.errors import UsageError
from webhook.impact.checking.gitfiles import gather
from webhook.impact.checking.ground import Ground, bare, ground_of
from webhook.impact.checking.judge import check
from webhook.impact.checking.run import Asked
from webhook.model.request import Operation, UserInfo
from webhook.offline.state import ClusterSource, to_stderr
from webhook.output.render import FORMS, render
from webhook.policy.policyset import load, only

_AUTO = "auto"


@click.command("check", short_help="Judge manifests as if they were applied.")
@click.option(
    "-f",
    "--filename",
    "names",
    type=click.Path(),
    metavar="PATH",
    multiple=True,
    required=True,
    help="File, folder or - ; many times.",
)
@options.policies
@options.cluster
@click.option("--no-cluster", is_flag=True, help="Judge by the manifests alone.")
@options.identity
@click.option(
    "--operation",
    type=click.Choice([_AUTO, Operation.CREATE.value, Operation.UPDATE.value, Operation.DELETE.value]),
    default=_AUTO,
    show_default=True,
    help="What is asked of the API server.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of objects that name none.")
@click.option("--policy", "only_policies", metavar="NAME", multiple=True, help="Only this policy; many times.")
@click.option("--warn-exit-code", metavar="N", type=click.IntRange(0, 255), default=0, help="Exit with N on warnings.")
@click.option("-v", "--verbose", is_flag=True, help="List also what was not judged, and why.")
@options.output(*FORMS)
def command(  # noqa: PLR0913 - one argument for each option
    *,
    names: tuple[str, ...],
    policies: tuple[Path, ...],
    source: ClusterSource,
    no_cluster: bool,
    user: UserInfo | None,
    operation: str,
    namespace: str,
    only_policies: tuple[str, ...],
    warn_exit_code: int,
    verbose: bool,
    form: str,
) -> int:
    """Judge the manifests of a Git repository as if they were applied, before they are.

    Each object becomes the request that the API server would send: CREATE where the cluster has no such object, else
    UPDATE, with mutation first and then validation, as in the webhook. They are applied in the usual order, so a
    migration sees the VM, its claims and its namespace from the same folder; what is refused is not there for the rest.

    A field that a manifest leaves out stays in the cluster, as with kubectl apply and what Argo CD and Flux do, unless
    it was applied before: then it has left Git and goes. That is noted on the object, but a snapshot holds no such
    note. There a field that is left out is taken to stay; what would be refused only if it goes, as with kubectl
    replace, is a warning that names the field.

    Who asks decides much, and nobody can guess it. In a GitOps repository it is mostly the account of the tool:

    \b
      Argo CD  --as system:serviceaccount:argocd:argocd-application-controller
      Flux     --as system:serviceaccount:flux-system:kustomize-controller

    Name a person's groups too with --as-group: whoever is named alone is a member of system:authenticated only.
    Without --as, what depends on it is a note rather than a refusal. The same holds for --no-cluster and all that
    depends on the cluster's state, and for objects that our account may not read. None of it makes the command fail;
    the notes name the policies.

    \b
    Examples:
      migguard check -f apps/ --policies policies/ --no-cluster
      migguard check -f apps/ --policies policies/ --cluster prod-snapshot/ --as alice
      kustomize build overlays/prod | migguard check -f - --policies policies/ --context prod -o markdown
      migguard check -f apps/ --policies policies/ --cluster prod-snapshot/ -o sarif > migguard.sarif

    Exit code: 0 all would be let through, 1 something would be refused, 2 wrong use or something could not be read
    (the rest is judged and shown all the same), 3 an error, N of --warn-exit-code if there are warnings at most.
    """  # noqa: D301 - click's own mark
    found = gather(names)
    chosen = only(load(policies, CATALOG), only_policies)
    asked = Asked(
        user=user,
        operation=None if operation == _AUTO else Operation(operation),
        namespace=namespace,
        verbose=verbose,
        warning_exit_code=warn_exit_code,
    )
    report = check(found, chosen, _ground(source, alone=no_cluster), asked, datetime.now(UTC))
    click.echo(render(report, form).encode())
    for problem in report.problems:
        click.echo(f"migguard: {problem}", err=True)
    return report.exit_code


def _ground(source: ClusterSource, *, alone: bool) -> Ground:
    if alone and source != ClusterSource():
        raise UsageError("--no-cluster goes with no cluster", hint="leave out --cluster, --kubeconfig and --context")
    if alone:
        return bare()
    try:
        return ground_of(source, to_stderr)
    except UsageError as error:
        hint = f"{error.hint}; or judge by the manifests alone with --no-cluster"
        raise UsageError(error.message, where=error.where, hint=hint) from error
