"""``migguard replay``: run the decisions of an audit log against another policy set."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission.natives import CATALOG
from webhook.cli import options
from webhook.errors import InputError, UsageError
from webhook.impact.replay import shown as replayshown
from webhook.impact.replay.report import report
from webhook.impact.replay.run import Filters, Setup, replay
from webhook.impact.replay.tally import FLIPS, Change, Tally
from webhook.offline.state import ClusterSource, world_from
from webhook.output.wording import counted
from webhook.policy.policyset import load

_FORMS = {"table": replayshown.as_table, "json": replayshown.as_json, "markdown": replayshown.as_markdown}
_FAILING = {"flip": FLIPS, "deny": (Change.REFUSED,), "none": ()}


@click.command("replay", short_help="Run recorded decisions against another policy set.")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path())
@options.policies
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="Compare with these policies instead of with what was decided then; many times.",
)
@click.option(
    "--cluster",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="Manifests of today's cluster, for what is not on record; many times. See migguard snapshot.",
)
@click.option("--since", metavar="TIME", default="", help="Decisions from then on: 2026-03-01 or 2026-03-01T08:00:00Z.")
@click.option("--until", metavar="TIME", default="", help="Decisions before then.")
@click.option("--user", "users", metavar="NAME", multiple=True, help="Decisions for this user; many times.")
@click.option("--namespace", "namespaces", metavar="NAME", multiple=True, help="In this namespace; many times.")
@click.option("--policy", "names", metavar="NAME", multiple=True, help="Changes by this policy; many times.")
@click.option("--verify", is_flag=True, help="Compare records of the same policy set word by word.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Users and namespaces named for each policy; 0 for all. Totals are always complete.",
)
@click.option(
    "--fail-on",
    type=click.Choice(sorted(_FAILING)),
    default="flip",
    show_default=True,
    help="What exit code 1 means: any verdict that flips, one that flips to denied, or nothing.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=None, metavar="N", help="Processes; as many as processors by default."
)
@options.output(*_FORMS)
def command(  # noqa: PLR0913 - one argument for each option
    *,
    logs: tuple[str, ...],
    policies: tuple[Path, ...],
    against: tuple[Path, ...],
    cluster: tuple[Path, ...],
    since: str,
    until: str,
    users: tuple[str, ...],
    namespaces: tuple[str, ...],
    names: tuple[str, ...],
    verify: bool,
    limit: int,
    fail_on: str,
    jobs: int | None,
    form: str,
) -> int:
    """Run the decisions of audit logs against other policies, and show those that come out differently.

    LOG is a file of audit records, a directory of such files, or - for standard input; compressed ones (gzip) are read
    too. Each request is decided anew from what is on record: the request with the fields that policies read, the facts,
    permissions and namespace labels of then. What is not on record is not guessed: such decisions count as
    undetermined, with the reason, unless --cluster gives the state to compute it from.

    \b
    Examples:
      migguard replay audit/ --policies policies
      migguard replay audit.jsonl --policies policies --since 2026-03-01 -o markdown
      zcat audit-*.gz | migguard replay - --policies new --against old --policy requester-can-migrate
      migguard replay audit.jsonl --policies policies --verify

    Exit code: 0 no verdict flips, 1 some do (see --fail-on; with --verify: a record was not reproduced), 2 wrong use,
    or input of which a part cannot be read (but for a last line that is still being written), 3 an error.
    """  # noqa: D301 - click's own mark
    now = datetime.now(UTC)
    candidate = load(policies, CATALOG, now=now)
    setup = Setup(
        candidate=candidate,
        baseline=load(against, CATALOG, now=now) if against else None,
        cluster=world_from(ClusterSource(cluster)) if cluster else None,
        filters=Filters(
            since=_moment("--since", since),
            until=_moment("--until", until),
            users=frozenset(users),
            namespaces=frozenset(namespaces),
            policies=frozenset(names),
        ),
        word_by_word=verify,
    )
    tally = replay(logs, setup, jobs=jobs or os.cpu_count() or 1)
    if verify and not tally.same_revision:
        message = f"none of the {tally.replayed} decisions was made by these policies ({candidate.revision})"
        raise InputError(message, hint="give the policies that were in force: see 'revision' in the records")
    click.echo(_FORMS[form](report(tally, setup, limit=limit)))
    if unreadable := tally.unreadable - tally.broken_off:  # "nothing changes" would be a lie
        message = f"{counted(unreadable, 'place')} of the log cannot be read, so this is not the whole result"
        raise InputError(message, hint="the first places are named in it; a last line that breaks off does not count")
    return 1 if _fails(tally, fail_on, verify=verify) else 0


def _fails(tally: Tally, fail_on: str, *, verify: bool) -> bool:
    if verify:
        return tally.reproduced < tally.same_revision
    return any(tally.decisions[change] for change in _FAILING[fail_on])


def _moment(option: str, given: str) -> datetime | None:
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"{option}: '{given}' is not a time", hint="2026-03-01 or 2026-03-01T08:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
