"""``migguard schema``: the JSON Schemas of migguard's documents."""

from __future__ import annotations

import json
from pathlib import Path

import click

from webhook.authoring import schemas


@click.command("schema", short_help="Print the JSON Schemas of migguard's documents.")
@click.argument("kind", metavar="[KIND]", default="")
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write them into this directory, each into KIND.json.",
)
def command(kind: str, output_dir: Path | None) -> int:
    """Print the JSON Schema of a kind of document, for editors and pipelines.

    KIND is GuardPolicy, GuardPolicyBinding, Exemption, Parameters or PolicyTest; migguard is one schema for all of
    them, which chooses by the document's kind. Without KIND it is all of them: printed as one list, or written.

    \b
    Examples:
      migguard schema GuardPolicy
      migguard schema -o .schemas
    An editor with the YAML language server then checks a file that begins with
      # yaml-language-server: $schema=.schemas/migguard.json

    Exit code: 0 done, 2 wrong use.
    """  # noqa: D301 - click's own mark
    if output_dir is not None:
        for file in schemas.write(output_dir, (kind,)) if kind else schemas.write(output_dir):
            click.echo(str(file))
    elif kind:
        click.echo(schemas.text_of(kind), nl=False)
    else:
        click.echo(json.dumps([schemas.schema_of(name) for name in schemas.KINDS], indent=2, ensure_ascii=False))
    return 0
