"""``migguard new``: the beginning of a policy, an exemption or a test, as files that pass lint and test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from webhook.authoring import scaffold, testscaffold
from webhook.errors import UsageError
from webhook.model.decision import Action
from webhook.model.request import Operation
from webhook.offline.reviewfile import read_review
from webhook.policy import loader
from webhook.policy.spelling import nearest

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH = click.Path(path_type=Path)
_SCHEMAS = click.option(
    "--schemas", type=_PATH, metavar="DIR", help="Where 'migguard schema' wrote the schemas: for a line editors read."
)


@click.group("new")
def command() -> None:
    """Begin a policy, an exemption or a test.

    The files pass 'migguard lint' and 'migguard test' as they are: change them into what you mean. Nothing is
    overwritten.

    Exit code: 0 written, 2 wrong use or input, 3 an error.
    """


@command.command("policy")
@click.argument("name")
@click.option(
    "--kind",
    default=next(iter(scaffold.KINDS)),
    show_default=True,
    metavar="KIND",
    shell_complete=lambda _context, _option, begun: [kind for kind in scaffold.KINDS if kind.startswith(begun)],
    help="What it is about.",
)
@click.option(
    "--action",
    type=click.Choice([str(action) for action in Action]),
    default=str(Action.WARN),
    show_default=True,
    help="What a violation leads to. A new policy warns first: see docs/roll-out.md.",
)
@click.option("--dir", "folder", type=_PATH, default=Path("policies"), show_default=True, help="Where policies are.")
@_SCHEMAS
def new_policy(name: str, kind: str, action: str, folder: Path, schemas: Path | None) -> int:
    """Write DIR/NAME/policy.yaml and a test in DIR/NAME/tests.

    \b
      migguard new policy vms-on-hold-stay
      migguard new policy vms-have-owners --kind VirtualMachine --action Deny
    """  # noqa: D301 - click wants the character, not a backslash
    _check_name(name)
    if kind not in scaffold.KINDS:
        raise UsageError(f"--kind: no policy can be begun for '{kind}'", hint=_kinds(kind))
    _write(scaffold.policy(name, kind, Action(action), folder, schemas))
    click.echo(f"next: migguard test {folder / name}")
    return 0


@command.command("exemption")
@click.argument("name")
@click.option(
    "--policy", "policies", metavar="POLICY", multiple=True, required=True, help="What it lets pass; many times."
)
@click.option(
    "--policies",
    "policy_set",
    type=_PATH,
    metavar="DIR",
    multiple=True,
    envvar="MIGGUARD_POLICIES",
    show_envvar=True,
    help="The policy set that it is for: names, dates and duplicates are held against it. Many times.",
)
@click.option("--user", "users", metavar="USER", multiple=True, help="Who may pass; many times.")
@click.option("--group", "groups", metavar="GROUP", multiple=True, help="A group that may pass; many times.")
@click.option("--serviceaccount", "accounts", metavar="NAMESPACE:NAME", multiple=True, help="As kubectl writes it.")
@click.option("-n", "--namespace", "namespaces", metavar="NAMESPACE", multiple=True, required=True, help="Where.")
@click.option(
    "--operation",
    "operations",
    type=click.Choice(list(Operation)),
    multiple=True,
    default=(Operation.CREATE,),
    show_default=True,
    help="Many times.",
)
@click.option("--owner", required=True, help="Who answers for it: a person or team that can be written to.")
@click.option("--reason", required=True, help="Why it is needed.")
@click.option("--ticket", required=True, help="Where it was agreed.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How long from today.")
@click.option(
    "--dir", "folder", type=_PATH, default=Path("policies/exemptions"), show_default=True, help="Where to put it."
)
@_SCHEMAS
def new_exemption(  # noqa: PLR0913 - one argument for each option
    *,
    name: str,
    policies: Sequence[str],
    policy_set: tuple[Path, ...],
    users: Sequence[str],
    groups: Sequence[str],
    accounts: Sequence[str],
    namespaces: Sequence[str],
    operations: Sequence[str],
    owner: str,
    reason: str,
    ticket: str,
    days: int,
    folder: Path,
    schemas: Path | None,
) -> int:
    """Write DIR/NAME.yaml: who may pass which policies, where, until when, and who answers for it.

    \b
      migguard new exemption storage-move --policy vm-volumes-migratable --serviceaccount storage-team:mover \
          -n prod --owner storage-team@example.com --reason "moves the last VMs off local disks" --ticket STOR-1234
    """  # noqa: D301 - click wants the character, not a backslash
    _check_name(name)
    request = scaffold.ExemptionRequest(
        name=name,
        policies=policies,
        subjects=_subjects(users, groups, accounts),
        namespaces=namespaces,
        operations=[str(operation) for operation in operations],
        owner=owner,
        reason=reason,
        ticket=ticket,
        expires=_in(days).isoformat(),
    )
    file = scaffold.exemption(request, folder, schemas)
    scaffold.check_exemption(file, policy_set, datetime.now(UTC))
    _write([file])
    return 0


@command.command("test")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--name", default="", help="Name of the test; the policy's by default.")
@click.option(
    "-f",
    "--filename",
    type=click.Path(),
    metavar="FILE",
    default="",
    help="An AdmissionReview to test with; - for stdin.",
)
def new_test(folder: Path, name: str, filename: str) -> int:
    """Write a test for the policy in DIR: one request, and what the policy says of it today.

    Without -f it is the simplest request that the policy is about.

    \b
      migguard new test policies/vms-on-hold-stay --name surprises
      migguard new test policies/freeze-window -f review.json --name ticket-1234
    """  # noqa: D301 - click wants the character, not a backslash
    documents = loader.load([folder], now=datetime.now(UTC))
    policy = documents.policies[0]
    chosen = name or policy.name
    _check_name(chosen)
    where = folder if folder.is_dir() else folder.parent
    target = where / "tests" / f"{chosen}.yaml"
    if target.exists():
        raise UsageError("is there already", where=str(target), hint="choose another --name")
    case = testscaffold.case_of(read_review(filename)) if filename else testscaffold.example(policy)
    _write([testscaffold.scaffold(chosen, where, case)])
    click.echo(f"next: migguard test {where}")
    return 0


def _kinds(kind: str) -> str:
    return nearest(kind, scaffold.KINDS) or f"one of {', '.join(scaffold.KINDS)}"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name", hint="lower-case letters, digits and hyphens, as in vms-on-hold-stay")


def _subjects(users: Sequence[str], groups: Sequence[str], accounts: Sequence[str]) -> list[dict[str, str]]:
    subjects = [{"kind": "User", "name": user} for user in users]
    subjects += [{"kind": "Group", "name": group} for group in groups]
    for account in accounts:
        namespace, colon, account_name = account.partition(":")
        if not (namespace and colon and account_name):
            raise UsageError(f"--serviceaccount: '{account}'", hint="write NAMESPACE:NAME")
        subjects.append({"kind": "ServiceAccount", "namespace": namespace, "name": account_name})
    if not subjects:
        raise UsageError("nobody would be exempt", hint="--user, --group or --serviceaccount")
    return subjects


def _in(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


def _write(files: Sequence[scaffold.NewFile]) -> None:
    scaffold.write(files)
    for file in files:
        click.echo(f"wrote {file.path}")
