"""``migguard test``: run the tests of policies, without a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from webhook.cli import options
from webhook.errors import UsageError
from webhook.offline.testing import resultjson, resulttext
from webhook.offline.testing.resultreport import report_of
from webhook.offline.testing.results import Asked, Results, run_all
from webhook.output.render import render

_FULL = 100


@click.command("test", short_help="Run the tests of policies.")
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--run", "pattern", metavar="REGEX", default="", help="Only cases whose file or TEST/CASE this is found in."
)
@click.option("--fail-only", is_flag=True, help="Show only cases that failed, in every form.")
@click.option("--trace", is_flag=True, help="Show how each case was decided: policies, variables, facts.")
@click.option("--coverage", is_flag=True, help="Show what of the policies below DIR no case exercises.")
@click.option(
    "--coverage-min",
    "minimum",
    type=click.FloatRange(0, _FULL),
    metavar="PERCENT",
    help="Fail below this coverage; implies --coverage.",
)
@click.option("--require-tests", is_flag=True, help="Fail if a policy below DIR is judged by no case.")
@options.output("table", "json", "junit", "markdown", "github")
def command(  # noqa: PLR0913 - one argument for each option
    *,
    paths: tuple[Path, ...],
    pattern: str,
    fail_only: bool,
    trace: bool,
    coverage: bool,
    minimum: float | None,
    require_tests: bool,
    form: str,
) -> int:
    """Run every PolicyTest below the directories, through the same decision as the webhook.

    By convention the tests of a policy are policies/NAME/tests/*.yaml. Nothing is asked of a cluster: what a policy
    looks up, a test declares, or states to be absent.

    \b
    Examples:
      migguard test policies
      migguard test policies --run 'cancel-guard/|window/' --trace --fail-only
      migguard test policies --require-tests --coverage-min 100 -o junit > tests.xml

    Coverage counts each policy and binding, each condition, validation and mutation both ways, each text in each
    language, each audit annotation, and both ways of every operand of &&, ||, ! and ?:, where it is reached: behind
    the operands before it, in elements up to the one that decides, and in variables where they are read.

    Exit code: 0 all passed, 1 a case failed, or a policy lacks tests or coverage, 2 wrong use or input (the other tests
    are run all the same), 3 an error.
    """  # noqa: D301 - click's own mark
    if pattern and require_tests:
        raise UsageError("--require-tests needs all cases", hint="leave out --run")
    results = run_all(
        Asked(
            paths=paths,
            wanted=_wanted(pattern),
            fail_only=fail_only,
            trace=trace,
            coverage=coverage or minimum is not None,
            minimum=minimum or 0.0,
            require_tests=require_tests,
        )
    )
    for problem in results.problems:
        click.echo(f"migguard: {problem}", err=True)
    if pattern and not (results.passed or results.failed or results.problems):
        raise UsageError(f"no case is called like '{pattern}'", hint="it is looked for in FILE and TEST/CASE")
    click.echo(_written(results, form))
    return results.exit_code


def _written(results: Results, form: str) -> str:
    match form:
        case "table":
            return resulttext.write(results)
        case "json":
            return resultjson.write(results)
        case _:
            return render(report_of(results), form)


def _wanted(pattern: str) -> Callable[[str], bool]:
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise UsageError(f"--run: '{pattern}' is not a regular expression: {error}") from error
    return lambda name: search(name) is not None
