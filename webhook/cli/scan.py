"""``migguard scan``: judge what already exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission.natives import CATALOG
from webhook.cli import options
from webhook.errors import UsageError
from webhook.impact.scanning.policyreport import MAX_RESULTS, Form
from webhook.impact.scanning.run import Reporting, by_policy, look_over, write_reports
from webhook.offline.state import ClusterSource, to_stderr
from webhook.output.finding import Report
from webhook.output.render import render
from webhook.output.tables import columns, markdown
from webhook.output.wording import counted, totals
from webhook.policy.policyset import load


@click.command("scan", short_help="Judge what already exists in a cluster.")
@options.policies
@options.cluster
@options.output("table", "json", "yaml", "junit", "sarif", "markdown")
@click.option("-q", "--quiet", is_flag=True, help="One line with the totals instead of the result.")
@click.option("--report", "into_cluster", is_flag=True, help="Write the result into the cluster as PolicyReports.")
@click.option(
    "--report-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the PolicyReports as files below DIR instead.",
)
@click.option(
    "--report-format",
    type=click.Choice([form.value for form in Form]),
    help="API of the reports: openreports.io or wgpolicyk8s.io; by default what the cluster has.",
)
@click.option(
    "--max-results",
    type=click.IntRange(1, 10_000),
    default=MAX_RESULTS,
    show_default=True,
    help="Results that one report lists; its summary counts all.",
)
@click.option(
    "--warn-exit-code", type=click.IntRange(0, 255), default=0, show_default=True, help="Where nothing is worse."
)
@click.option(
    "--exit-zero", is_flag=True, help="0 whatever is found, if all was read: a CronJob that reports has done its work."
)
def command(  # noqa: PLR0913 - one argument for each option
    policies: tuple[Path, ...],
    source: ClusterSource,
    form: str,
    *,
    quiet: bool,
    into_cluster: bool,
    report_dir: Path | None,
    report_format: str | None,
    max_results: int,
    warn_exit_code: int,
    exit_zero: bool,
) -> int:
    """Judge what already exists: every object that a policy concerns, as if it were created as it stands.

    Each policy judges the objects whose creation it would judge: HyperConverged, KubeVirt, MigrationPolicies, VMs,
    roles and bindings, migrations in flight. What is there is held against the defaults, not against an earlier state,
    so what was never written through migguard is found too. Policies that judge who asks, or what is done, cannot judge
    what stands; they are named, and migguard replay judges them. An exemption counts until it expires, for the objects
    that it names; expired ones are listed.

    --report leaves one bounded PolicyReport in each namespace with findings and a ClusterPolicyReport for the rest:
    failures first, passes only counted. Those of the last scan are replaced or removed. Where a kind cannot be read,
    nothing is removed, and every report that is written names it (annotation migguard.io/not-scanned).

    \b
    Examples:
      migguard scan --policies policies/                        # the cluster that kubectl speaks to
      migguard scan --policies policies/ --cluster prod/ -o markdown
      migguard scan --policies policies/ --report --quiet --exit-zero    # in a CronJob

    Exit code: 0 nothing is refused, 1 something would be refused, 2 wrong use or input, 3 the cluster or a kind that a
    policy concerns cannot be read (the rest is judged and shown all the same), or reports cannot be written.
    """  # noqa: D301 - click's own mark
    if into_cluster and source.manifests:
        raise UsageError("--report needs a live cluster", hint="write files with --report-dir DIR")
    if into_cluster and report_dir:
        raise UsageError("--report and --report-dir are both given", hint="choose one place for the reports")
    now = datetime.now(UTC)
    looked = look_over(load(policies, CATALOG, now=now), source, now=now, tell=to_stderr)
    report = replace(looked.scanned.report, warning_exit_code=warn_exit_code)
    click.echo(f"scan: {totals(report)}" if quiet else _shown(report, form))
    for problem in report.problems:
        to_stderr(str(problem))
    if into_cluster or report_dir:
        chosen = Form(report_format) if report_format else None
        reporting = Reporting(folder=report_dir, form=chosen, limit=max_results)
        left = "; none was removed, as not all was scanned" if report.problems else ""
        to_stderr(f"{counted(write_reports(looked, reporting, now=now), 'report')} written{left}")
    return 0 if exit_zero and not report.problems else report.exit_code


def _shown(report: Report, form: str) -> str:
    """The result, for people with a summary by policy below it."""
    tables = {"table": columns, "markdown": markdown}
    headers, rows = by_policy(report)
    shown = render(report, form)
    return f"{shown}\n\n{tables[form](headers, rows)}" if rows and form in tables else shown
