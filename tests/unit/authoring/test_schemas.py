"""The JSON Schemas as they are published: one for each kind, one for all, and every built-in file beside its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.authoring.lint.linting import binding, exemption, parameters, policy
from webhook.authoring import schemas
from webhook.errors import UsageError
from webhook.policy import schema

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "webhook" / "policy" / "schemas"
NAMES = [*schemas.KINDS, schemas.COMBINED]
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
FILES = sorted(
    path
    for folder in ("policies", "examples")
    for path in (ROOT / folder).rglob("*.yaml")
    if re.search(r"^apiVersion: migguard\.io/", path.read_text("utf-8"), re.MULTILINE)
)


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document is not None]


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in FILES])
def test_a_built_in_file_names_its_schema_which_accepts_it(path: Path) -> None:
    found = MODELINE.match(path.read_text("utf-8"))
    assert found, "the first line tells editors which schema to use"
    target = (path.parent / found.group(1)).resolve()
    kinds = {document["kind"] for document in documents(path)}
    wanted = kinds.pop() if len(kinds) == 1 else schemas.COMBINED
    assert target == FOLDER / schemas.file_name(wanted)
    validator = Draft202012Validator(json.loads(target.read_text("utf-8")))
    assert [error.message for document in documents(path) for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_is_fresh(name: str) -> None:
    written = (FOLDER / schemas.file_name(name)).read_text("utf-8")
    assert written == schemas.text_of(name), "run 'migguard schema -o webhook/policy/schemas' and commit what it writes"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_says_what_it_is(name: str) -> None:
    found = schemas.schema_of(name)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"https://migguard.io/schemas/v1alpha1/{schemas.file_name(name)}"
    assert found["description"].endswith(".")


def fields(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property of every object in a schema."""
    if isinstance(node, dict):
        own = node.get("properties")
        if isinstance(own, dict) and path.rpartition("/")[2] not in {"if", "then", "else"}:
            yield from ((f"{path}/{name}", child) for name, child in own.items() if isinstance(child, dict))
        for key, child in node.items():
            yield from fields(child, f"{path}/{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from fields(child, f"{path}/{index}")


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_an_editor_can_explain_every_field(kind: str) -> None:
    assert [path for path, field in fields(schema.schema(kind)) if not field.get("description", "").endswith(".")] == []


def spoilt(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "spec": {**document["spec"], "unknown": 1}}


@pytest.mark.parametrize("document", [policy(), binding(), exemption(), parameters()], ids=lambda one: str(one["kind"]))
def test_the_combined_schema_chooses_by_kind(document: dict[str, Any]) -> None:
    combined = Draft202012Validator(schemas.combined())
    assert combined.is_valid(document)
    assert not combined.is_valid(spoilt(document))
    others = set(schemas.KINDS) - {document["kind"]}
    assert [kind for kind in others if combined.is_valid({**document, "kind": kind})] == []


def test_the_combined_schema_wants_a_kind_that_is_known() -> None:
    combined = Draft202012Validator(schemas.combined())
    assert not combined.is_valid({**policy(), "kind": "Policy"})
    assert not combined.is_valid({})


def test_the_combined_schema_refers_to_nothing_outside_itself() -> None:
    text = schemas.text_of(schemas.COMBINED)
    references = re.findall(r'"\$ref": "([^"]+)"', text)
    known = {f"#/$defs/{name}" for name in schemas.combined()["$defs"]}
    assert references
    assert set(references) <= known


@pytest.mark.parametrize("written", ["GuardPolicy", "guardpolicy", "GUARDPOLICY"])
def test_a_kind_is_found_in_any_case(written: str) -> None:
    assert schemas.schema_of(written) == schema.schema("GuardPolicy")


def test_an_unknown_kind_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match="did you mean 'Exemption'") as refused:
        schemas.schema_of("Exemptions")
    assert refused.value.exit_code == 2


def test_schemas_are_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    written = schemas.write(tmp_path / "a" / "b")
    assert [path.name for path in written] == [schemas.file_name(name) for name in NAMES]
    assert all(json.loads(path.read_text("utf-8")) == schemas.schema_of(path.stem) for path in written)


def test_a_folder_that_cannot_be_made_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        schemas.write(tmp_path / "file" / "folder")
