"""``migguard review``: one AdmissionReview decided without a server."""

import io
import json
import sys

import pytest
import yaml

from tests.support.reviews import POLICY, body, review, small_world
from webhook.cli.main import run


@pytest.fixture(name="world")
def small_world_arguments(tmp_path) -> list[str]:
    policies, cluster = small_world(tmp_path)
    return ["--policies", str(policies), "--cluster", str(cluster)]


@pytest.fixture(name="file")
def review_file(tmp_path):
    def write(content: bytes | str) -> str:
        path = tmp_path / "review"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(("name", "code"), [("move", 0), ("forbidden", 1)])
def test_a_review_is_decided_and_the_answer_printed(world, file, capsys, form, name, code):
    text = json.dumps(review(name)) if form == "json" else yaml.safe_dump(review(name))
    assert run(["review", "-f", file(text), *world]) == code
    printed = json.loads(capsys.readouterr().out)
    assert printed["kind"] == "AdmissionReview"
    assert printed["response"]["uid"] == review()["request"]["uid"]
    assert printed["response"]["allowed"] is (code == 0)


def test_a_review_is_read_from_standard_input(world, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body("forbidden"))))
    assert run(["review", "-f", "-", *world]) == 1
    assert "this name is forbidden" in capsys.readouterr().out


def test_a_refusal_is_told_in_the_language_of_parameters(file, capsys, tmp_path):
    policies, cluster = small_world(tmp_path)
    translations = (
        "      translations: {ja: {message: この名前は使用できません, remediation: 別の名前にしてください}}\n"
    )
    (policies / "policy.yaml").write_text(POLICY + translations, "utf-8")
    (policies / "parameters.yaml").write_text(
        "{apiVersion: migguard.io/v1alpha1, kind: Parameters, metadata: {name: p}, spec: {language: ja}}"
    )

    assert run(["review", "-f", file(body("forbidden")), "--policies", str(policies), "--cluster", str(cluster)]) == 1
    printed = capsys.readouterr().out
    assert "この名前は使用できません" in printed
    refusal, next_step, decision = json.loads(printed)["response"]["status"]["message"].splitlines()
    assert refusal == (
        "VirtualMachineInstanceMigration prod/forbidden はポリシー no-forbidden-names により拒否されました: "
        "この名前は使用できません"
    )
    assert next_step == "対処方法: 別の名前にしてください"
    assert decision.startswith("(判定 ID: ")


def test_the_mutate_phase_judges_no_validation(world, file):
    assert run(["review", "-f", file(body("forbidden")), "--phase", "mutate", *world]) == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "review: holds 0 documents, not one AdmissionReview", id="empty"),
        pytest.param("{", "review: the body is not JSON", id="broken-json"),
        pytest.param("a: [", "review:2:1: not valid YAML", id="broken-yaml"),
        pytest.param("a: 1\n---\nb: 2\n", "review: holds 2 documents", id="two-documents"),
        pytest.param("kind: Pod\n", "review: the body is not an AdmissionReview", id="another-kind"),
        pytest.param(b"a: \xff", "review: is not UTF-8: byte 3", id="not-utf-8"),
        pytest.param(body(uid=None), "review: request.uid is missing", id="no-uid"),
    ],
)
def test_what_is_no_review_is_one_line_with_its_place_and_exit_code_2(world, file, capsys, content, says):
    assert run(["review", "-f", file(content), *world]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith("migguard: ")
    assert says in line


def test_a_file_that_is_missing_is_exit_code_2(world, tmp_path, capsys):
    assert run(["review", "-f", str(tmp_path / "none"), *world]) == 2
    assert capsys.readouterr().err == f"migguard: {tmp_path}/none: cannot be read: No such file or directory\n"


def test_every_problem_of_the_policies_is_a_line_with_its_place(world, file, tmp_path, capsys):
    broken = POLICY.replace("object.metadata.name !=", "objekt.name !=").replace("take another name", "3")
    (tmp_path / "policies" / "broken.yaml").write_text(broken.replace("no-forbidden-names", "broken"))
    assert run(["review", "-f", file(body()), *world]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(f"{tmp_path}/policies/broken.yaml:" in line for line in lines)


def test_a_cluster_directory_that_is_missing_is_exit_code_2(tmp_path, file, world, capsys):
    assert run(["review", "-f", file(body()), *world[:2], "--cluster", str(tmp_path / "none")]) == 2
    assert f"{tmp_path}/none" in capsys.readouterr().err


def test_a_decision_can_be_put_on_record_for_replay(world, file, tmp_path, capsys):
    log = tmp_path / "audit.jsonl"
    for name in ("move", "forbidden"):
        run(["review", "-f", file(json.dumps(review(name))), *world, "--audit-log", str(log)])
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["result"]["response"]["allowed"] for record in records] == [True, False]
    assert run(["replay", str(log), *world[:2], "--verify", "--jobs", "1"]) == 0
