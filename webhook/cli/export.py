"""``migguard export``: policies in the form of something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from webhook.admission.natives import CATALOG
from webhook.authoring import vap
from webhook.cli import options
from webhook.output.tables import plain
from webhook.policy.policyset import load, only

_LONG = 60
"""Characters of a text from which on it is written folded."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_OTHERWISE = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that are something else to a reader of YAML 1.1."""


@click.group("export", short_help="Write policies as native admission policies.")
def command() -> None:
    """Write policies in the form of something else."""


@command.command("vap")
@options.policies
@click.option("--policy", "names", metavar="NAME", multiple=True, help="Only this policy; many times.")
@click.option(
    "--without-exemptions", is_flag=True, help="Export policies that have exemptions too; natively nobody is exempt."
)
@click.option("--strict", is_flag=True, help="Exit with 1 if any policy cannot be exported.")
@click.option(
    "--install-namespace",
    "namespaces",
    metavar="NAMESPACE",
    multiple=True,
    help="Where KubeVirt and HyperConverged are installed; many times. By default what Parameters say.",
)
@options.output("yaml", "json")
def export_vap(
    policies: tuple[Path, ...],
    names: tuple[str, ...],
    without_exemptions: bool,
    strict: bool,
    namespaces: tuple[str, ...],
    form: str,
) -> int:
    """Write policies as ValidatingAdmissionPolicy and MutatingAdmissionPolicy (v1) with their bindings.

    The kube-apiserver judges these by itself: a backstop that works while the webhook is away. It needs Kubernetes 1.30
    (validating) and 1.36 (mutating). A policy can be exported if all it reads is object, oldObject, request,
    namespaceObject, authorizer, and those facts about the requester that the request says too; parameters and the
    origin of the requester are written out, so export anew after a change of policies or Parameters. What cannot be
    exported is listed on standard error with the reason.

    \b
      migguard export vap --policies policies/ --install-namespace openshift-cnv | kubectl apply -f -
      migguard export vap --policies examples/backstop --policy backstop-post-copy -o json

    Exit code: 0 written (also where some were refused), 1 nothing could be exported (with --strict: not all),
    2 wrong use or input, 3 an error.
    """  # noqa: D301 - click wants the character, not a backslash
    loaded = only(load(list(policies), CATALOG, now=datetime.now(UTC)), names)
    if namespaces:
        loaded = replace(loaded, parameters={**loaded.parameters, "installNamespaces": list(namespaces)})
    export = vap.export(loaded, without_exemptions=without_exemptions)
    guessed = () if namespaces else tuple(loaded.parameters["installNamespaces"])
    for line in _remarks(export, guessed):
        click.echo(plain(line), err=True)
    if export.objects:
        click.echo(_json(export) if form == "json" else _yaml(export), nl=False)
    return 1 if not export.objects or (strict and export.refused) else 0


def _remarks(export: vap.Export, guessed: Sequence[str]) -> Iterator[str]:
    for refused in export.refused:
        called = f"{refused.policy} (binding {refused.binding})" if refused.binding else refused.policy
        for reason in refused.reasons:
            yield f"{refused.where}: {called} is not exported: {reason}"
    if export.trusting and guessed:
        trusted = ", ".join(guessed)
        yield f"note: accounts of the namespaces {trusted} count as KubeVirt's: name the real one (--install-namespace)"
    for note in export.notes:
        yield f"note: {note}"


class _Folding(yaml.SafeDumper):
    """Writes long texts folded, so that expressions can be read, and quotes whatever is not plainly a word.

    PyYAML's own idea of what needs quotes is not kubectl's: to a YAML 1.1 reader in Go ``y`` and ``n`` are booleans.
    """


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if _WORD.fullmatch(text) and text.lower() not in _OTHERWISE else '"'
    if len(text) > _LONG and text == text.strip() and all(one.isprintable() for one in text):
        style = ">"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Folding.add_representer(str, _text)


def _yaml(export: vap.Export) -> str:
    # By way of JSON, so that what several objects share is written out rather than referred to.
    plainly: list[Mapping[str, Any]] = json.loads(json.dumps(export.objects))
    written: str = yaml.dump_all(
        plainly, Dumper=_Folding, sort_keys=False, allow_unicode=True, width=120, explicit_start=True
    )
    return written


def _json(export: vap.Export) -> str:
    items = {"apiVersion": "v1", "kind": "List", "items": list(export.objects)}
    return json.dumps(items, indent=2, ensure_ascii=False) + "\n"
