"""``migguard lint``: find mistakes in policies, bindings and exemptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.authoring.lint.rules import RULES
from webhook.authoring.lint.run import lint
from webhook.authoring.lint.sources import UNREADABLE
from webhook.cli import options
from webhook.errors import InputError, UsageError
from webhook.output.finding import Level
from webhook.output.render import FORMS, render
from webhook.output.tables import columns
from webhook.policy.reading import instant


def _list_rules(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - what click hands over
    if value:
        rows = ((rule.name, rule.level, rule.title) for rule in RULES.values())
        click.echo(columns(("rule", "level", "title"), rows))
        context.exit()


@click.command("lint", short_help="Find mistakes in policies, bindings and exemptions.")
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.output(*FORMS)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    default=Level.WARNING.value,
    show_default=True,
    help="The least level that is shown.",
)
@click.option("--each", is_flag=True, help="Each DIR is a policy set of its own, rather than all of them together.")
@click.option(
    "--warn-exit-code",
    type=click.IntRange(0, 255),
    metavar="N",
    default=0,
    help="What to exit with where there are warnings, and no errors.",
)
@click.option("--now", "clock", metavar="TIME", default="", help="What the clock says, for the dates of exemptions.")
@click.option(
    "--rules",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_list_rules,
    help="List all rules, and do nothing else.",
)
def command(paths: Sequence[Path], form: str, level: str, *, each: bool, warn_exit_code: int, clock: str) -> int:
    """Find mistakes in policies, bindings, exemptions and parameters, each with its place and what to do.

    All directories together are one policy set, as the webhook would be given them: name the base and its overlays.
    Beyond what the webhook refuses to load, lint finds rules that can never apply, facts that say nothing where they
    are read, exemptions that are too wide or about to run out, refusals without a next step, and more: --rules lists
    them. Annotation migguard.io/lint-ignore: RULE, RULE silences rules for one document.

    \b
    Examples:
      migguard lint policies/
      migguard lint base/ overlays/prod/ --level note
      migguard lint policies/ -o sarif > lint.sarif
      migguard lint --rules

    Exit code: 0 no error, 1 errors were found, 2 wrong use, no such path, or a file that cannot be read (what was found
    in the others is shown all the same), 3 an error of migguard; with --warn-exit-code N: N where there are warnings
    only.
    """  # noqa: D301 - click's own mark
    sets = [[path] for path in paths] if each else [list(paths)]
    report = lint(sets, now=_now(clock), least=Level(level), warning_exit_code=warn_exit_code)
    click.echo(render(report, form))
    return InputError.exit_code if any(one.rule == UNREADABLE.name for one in report.findings) else report.exit_code


def _now(written: str) -> datetime:
    if not written:
        return datetime.now(UTC)
    try:
        return instant(written)
    except ValueError as error:
        raise UsageError(f"--now: '{written}' is not a time", hint="write 2026-12-31T18:00:00Z") from error
