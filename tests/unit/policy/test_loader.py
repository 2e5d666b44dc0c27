"""From directories to documents: everything that cannot be used is told at once, with file:line:column."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.engine import NOW, Json, binding, exemption, parameters, policy, write
from webhook.errors import PolicyError
from webhook.policy import loader
from webhook.policy.document import Documents

FREEZE = {"name": "weekend", "schedule": "0 18 * * FRI", "duration": "60h", "reason": "month-end closing"}


def _problems(folder: Path, *paths: Path) -> list[str]:
    """What is wrong, with file names as seen from the folder."""
    with pytest.raises(PolicyError) as caught:
        loader.load(paths or (folder,), now=NOW)
    return [str(problem).replace(f"{folder}/", "").replace(str(folder), ".") for problem in caught.value.problems]


def _loaded(folder: Path, *documents: Json) -> Documents:
    write(folder, *documents)
    return loader.load([folder], now=NOW)


# Files


def test_policies_are_read_from_directories_below_and_from_single_files(tmp_path: Path) -> None:
    write(tmp_path / "policies", policy("b"), file="nested/deeper/b.yml")
    write(tmp_path / "policies", policy("a"), file="a.yaml")
    write(tmp_path / "policies", policy("c"), file="c.json.txt")
    single = write(tmp_path, policy("d"), file="d.conf")
    json_file = tmp_path / "policies" / "e.json"
    json_file.write_text(
        '{"apiVersion": "migguard.io/v1alpha1", "kind": "GuardPolicy", "metadata": {"name": "e"}, "spec": {'
        '"matchConstraints": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"],'
        '"operations": ["*"]}]}, "validations": [{"expression": "true", "message": "m"}]}}'
    )

    loaded = loader.load([tmp_path / "policies", single], now=NOW)

    assert [one.name for one in loaded.policies] == ["a", "e", "b", "d"]


def test_tests_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, policy())
    (tmp_path / "tests").mkdir()
    for name in ("tests/suite.yaml", ".hidden.yaml", "README.md", "values.toml"):
        (tmp_path / name).write_text("{broken")

    assert loader.policy_files([tmp_path]) == [tmp_path / "policies.yaml"]
    assert len(loader.load([tmp_path], now=NOW).policies) == 1


def test_documents_that_mean_nothing_here_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, policy(), {"kind": "PolicyTest"}, {"apiVersion": "x", "kind": "Kustomization", "resources": []})

    assert len(loader.load([tmp_path], now=NOW).policies) == 1


def test_the_same_file_given_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path, policy())

    assert len(loader.load([tmp_path, file, tmp_path], now=NOW).policies) == 1


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, policy(), file="..2026_03_02/policies.yaml")
    (tmp_path / "..data").symlink_to("..2026_03_02")
    (tmp_path / "policies.yaml").symlink_to("..data/policies.yaml")

    assert len(loader.load([tmp_path], now=NOW).policies) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(
            "", "holds no GuardPolicy (a guard without policies would let everything through)", id="empty file"
        ),
        pytest.param("# nothing\n---\n", "holds no GuardPolicy", id="empty documents"),
        pytest.param("a: 'x", "policies.yaml:1:6: not valid YAML", id="no YAML"),
        pytest.param("- a", "policies.yaml:1:1: not a migguard document: it has no kind", id="list"),
        pytest.param("just text", "policies.yaml:1:1: not a migguard document: it has no kind", id="text"),
        pytest.param("kind: [GuardPolicy]", "policies.yaml:1:1: not a migguard document", id="kind is no text"),
        pytest.param(
            "apiVersion: x\nkind: GuardPolicie",
            "policies.yaml:2:7: unknown kind 'GuardPolicie' (did you mean 'GuardPolicy'?)",
            id="kind misspelt",
        ),
        pytest.param(
            "kind: Deployment",
            "policies.yaml:1:7: unknown kind 'Deployment' (a policy directory holds GuardPolicy, GuardPolicyBinding, "
            "Exemption, Parameters)",
            id="wrong kind",
        ),
        pytest.param("kind: GuardPolicy\nkind: GuardPolicy", "policies.yaml:2:1: the key 'kind'", id="key twice"),
        pytest.param("a: &a [*a]", "policies.yaml:1:8: *a names nothing", id="alias of itself"),
        pytest.param("[" * 2000, "policies.yaml:1:102: nested deeper than 100 levels", id="nested deeply"),
        pytest.param("a: .nan", "policies.yaml:1:4: .nan is not a number in JSON", id="NaN"),
        pytest.param("a: \x01", "policies.yaml: not valid YAML", id="control character"),
    ],
)
def test_a_file_that_is_no_policy_is_told_where_and_why(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "policies.yaml").write_text(content)

    (found,) = _problems(tmp_path)

    assert problem in found


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_bytes(b"kind: \xff")

    assert _problems(tmp_path) == ["policies.yaml: the file is not UTF-8 text (byte 7) (save it as UTF-8)"]


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    assert _problems(tmp_path, tmp_path / "polices") == ["polices: no such file or directory (check the path)"]


def test_a_directory_without_any_policy_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    assert _problems(tmp_path) == [".: holds no .yaml, .yml, .json file (is this the right directory?)"]


def test_a_directory_without_a_policy_is_told(tmp_path: Path) -> None:
    write(tmp_path, parameters())

    assert _problems(tmp_path) == [".: holds no GuardPolicy (a guard without policies would let everything through)"]


def test_a_directory_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)

    assert _problems(tmp_path) == [".: the folder cannot be read: Permission denied (check its permissions)"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, policy())
    (tmp_path / "gone.yaml").symlink_to("nowhere")

    assert _problems(tmp_path) == [
        "gone.yaml: the file cannot be read: No such file or directory (check the path and its permissions)"
    ]


def test_every_problem_of_every_file_is_told_at_once_and_good_files_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, policy("good"), file="a-good.yaml")
    (tmp_path / "b-broken.yaml").write_text("kind: GuardPolicy\nmetadata: {name: x")
    write(tmp_path, policy("c", spek=1) | {"extra": 1}, policy("d", failurePolicy="Never"), file="c-wrong.yaml")
    (tmp_path / "d-kind.yaml").write_text("kind: Policy\n")

    problems = _problems(tmp_path, tmp_path / "missing", tmp_path)

    assert [problem.split(" (")[0] for problem in problems] == [
        "missing: no such file or directory",
        "b-broken.yaml:3:1: not valid YAML: did not find expected ',' or '}'",
        "c-wrong.yaml:16:9: unknown field 'spec.spek'",
        "c-wrong.yaml:20:8: unknown field 'extra'",
        'c-wrong.yaml:37:18: spec.failurePolicy is "Never"',
        "d-kind.yaml:1:7: unknown kind 'Policy'",
    ]


# Across documents


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        pytest.param(
            [policy(), policy()], "GuardPolicy 'guard' stands twice (the other is policies.yaml:4:9)", id="policy"
        ),
        pytest.param([policy(), binding("b"), binding("b")], "GuardPolicyBinding 'b' stands twice", id="binding"),
        pytest.param([policy(), exemption("e"), exemption("e")], "Exemption 'e' stands twice", id="exemption"),
        pytest.param(
            [policy(), parameters(), parameters()],
            "Parameters 'the one Parameters document' stands twice",
            id="Parameters",
        ),
        pytest.param(
            [policy(), binding(policy_name="gard")],
            "no GuardPolicy 'gard' (did you mean 'guard'?)",
            id="binding of none",
        ),
        pytest.param(
            [policy(), exemption(policies=["guard", "gard"])],
            "no GuardPolicy 'gard' (did you mean 'guard'?)",
            id="exemption from none",
        ),
        pytest.param(
            [policy(), exemption(expires="2026-09-01")],
            "expires more than 90 days from now (an exemption is a debt with a date: renew it by review "
            "(spec.exemptions.maxDays of Parameters))",
            id="exemption too long",
        ),
        pytest.param(
            [policy(), exemption(starts="2026-06-01", expires="2026-09-01")],
            "expires more than 90 days after it starts",
            id="exemption too long from its start",
        ),
        pytest.param(
            [policy(), exemption(starts="2026-04-02")], "expires before it starts", id="exemption that never is"
        ),
        pytest.param(
            [policy(), exemption(expires="next week")],
            "expires 'next week' is not a date (write 2026-12-31 or 2026-12-31T18:00:00Z)",
            id="exemption without a date",
        ),
        pytest.param(
            [policy(), exemption(starts="2026-02-30")], "starts '2026-02-30' is not a date", id="day that is none"
        ),
        pytest.param(
            [policy(), parameters(exemptions={"maxDays": 7}), exemption()],
            "expires more than 7 days from now",
            id="exemption longer than Parameters allow",
        ),
        pytest.param(
            [policy(), parameters(freezeWindows=[{**FREEZE, "duration": "168h"}])],
            "freeze window 'weekend' never ends: it begins anew within its 168h (shorten the duration, or let it begin "
            "less often)",
            id="freeze without end",
        ),
    ],
)
def test_what_no_single_document_shows_is_told(tmp_path: Path, documents: list[Json], problem: str) -> None:
    write(tmp_path, *documents)

    (found,) = _problems(tmp_path)

    assert problem in found


@pytest.mark.parametrize(
    ("documents", "text"),
    [
        pytest.param([policy(), binding(policy_name="gard")], "gard", id="binding"),
        pytest.param([policy(), exemption(policies=["guard", "gard"])], "gard", id="one of several"),
        pytest.param([policy(), exemption(expires="2030-01-01")], "'2030-01-01'", id="date"),
        pytest.param(
            [policy(), parameters(freezeWindows=[FREEZE, {**FREEZE, "duration": "169h"}])], "169h", id="second window"
        ),
    ],
)
def test_such_a_problem_names_the_place_of_the_value(tmp_path: Path, documents: list[Json], text: str) -> None:
    file = write(tmp_path, *documents)
    lines = file.read_text().splitlines()
    line = next(number for number, content in enumerate(lines, 1) if content.endswith(f" {text}"))

    (found,) = _problems(tmp_path)

    assert found.startswith(f"policies.yaml:{line}:{lines[line - 1].index(text) + 1}: ")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-04-01", datetime(2026, 4, 1, tzinfo=UTC)),
        ("2026-04-01T18:00:00Z", datetime(2026, 4, 1, 18, tzinfo=UTC)),
        ("2026-04-01T18:00:00+02:00", datetime(2026, 4, 1, 16, tzinfo=UTC)),
    ],
)
def test_dates_are_days_in_utc_or_rfc_3339_times(tmp_path: Path, written: str, instant: datetime) -> None:
    write(tmp_path, policy())
    (tmp_path / "exemption.yaml").write_text(
        "apiVersion: migguard.io/v1alpha1\nkind: Exemption\nmetadata: {name: e}\nspec:\n  policies: [guard]\n"
        "  subjects: [{kind: User, name: alice}]\n  owner: o\n  reason: r\n  ticket: t\n"
        f"  starts: 2026-03-01\n  expires: {written}\n"
    )

    (made,) = loader.load([tmp_path], now=NOW).exemptions

    assert made.expires == instant
    assert made.starts == datetime(2026, 3, 1, tzinfo=UTC)


def test_an_exemption_may_begin_later_than_its_longest_time_from_now(tmp_path: Path) -> None:
    assert _loaded(tmp_path, policy(), exemption(starts="2026-08-01", expires="2026-09-01")).exemptions


def test_an_exemption_that_has_run_out_is_no_problem(tmp_path: Path) -> None:
    assert len(_loaded(tmp_path, policy(), exemption(expires="2025-01-01")).exemptions) == 1


# Parameters and digest


def test_parameters_have_defaults_for_what_they_do_not_say(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, policy(), parameters(permission={"mode": "effective"}))

    assert loaded.parameters == {
        "critical": {"label": "migguard.io/critical", "value": "true"},
        "installNamespaces": ["kubevirt", "kubevirt-hyperconverged", "openshift-cnv"],
        "systemAccounts": [],
        "permission": {"mode": "effective", "trustedClusterRoles": ["kubevirt.io:migrate", "cluster-admin"]},
        "exemptions": {"maxDays": 90},
        "language": "en",
        "capacity": {"parallelDrains": 1},
        "freezeWindows": [],
        "params": {},
    }


def test_a_freeze_window_is_in_utc_unless_it_says_otherwise(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, policy(), parameters(freezeWindows=[FREEZE, {**FREEZE, "timeZone": "Asia/Tokyo"}]))

    assert loaded.parameters["freezeWindows"] == [
        {**FREEZE, "timeZone": "UTC"},
        {**FREEZE, "timeZone": "Asia/Tokyo"},
    ]


def test_no_parameters_are_the_defaults(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, policy())

    assert loaded.parameters == loader.default_parameters()
    assert loaded.parameters_document is None


def test_the_digest_depends_on_content_alone(tmp_path: Path) -> None:
    write(tmp_path / "a", policy("one"), file="1.yaml")
    write(tmp_path / "a", policy("two"), file="2.yaml")
    write(tmp_path / "b", policy("two"), file="first/x.yaml")
    write(tmp_path / "b", policy("one"), file="second/y.yml")
    write(tmp_path / "c", policy("one"), policy("two"))

    first, second, other = (loader.load([tmp_path / name], now=NOW).digest for name in "abc")

    assert first == second
    assert other != first


@pytest.fixture(name="scratch", scope="module")
def scratch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@given(content=st.text(max_size=60).map(str.encode) | st.binary(max_size=60))
@example(content=b"")
@example(content=b"{{}")
@example(content=b"? {a: b}\n: c")
@example(content=b"{[]}")
@example(content=b"\xef\xbb\xbfkind: GuardPolicy")
@example(content=b"kind: GuardPolicy\nspec: {matchConstraints: null}")
@example(content=b"- &a [x]\n- *a")
def test_any_file_is_loaded_or_answered_with_problems(scratch: Path, content: bytes) -> None:
    (scratch / "any.yaml").write_bytes(content)

    with pytest.raises(PolicyError) as caught:
        loader.load([scratch], now=NOW)

    assert caught.value.problems
