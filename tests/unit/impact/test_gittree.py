"""Reading files and directories at a Git revision."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from webhook.errors import InputError, PolicyError, Problem, UsageError
from webhook.impact import gittree
from webhook.impact.gittree import Opened, Revision, opened, opened_together, revision_of, spread, together


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture(name="repository")
def a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits on main; the second changes one file of policies and adds one."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set where a hook of git runs the tests
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write(folder, policies__a_yaml="a: 1\n", policies__deep__b_yaml="b: 1\n", other_yaml="o: 1\n", policies__readme="r")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    write(folder, policies__a_yaml="a: 2\n", policies__c_yaml="c: 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "second")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(name="stack")
def a_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def files(found: Opened) -> dict[str, str]:
    return {str(path.relative_to(found.path)): path.read_text() for path in found.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("spelling", "revision"),
    [
        ("main:policies", Revision("main", "policies")),
        ("HEAD~1:./a.yaml", Revision("HEAD~1", "./a.yaml")),
        ("HEAD@{2026-03-01 12:00}:p", Revision("HEAD@{2026-03-01 12:00}", "p")),
        ("main:", Revision("main", "")),
        ("policies", None),
    ],
)
def test_a_revision_is_spelled_as_git_does(spelling: str, revision: Revision | None) -> None:
    assert revision_of(spelling) == revision


@pytest.mark.parametrize(
    ("spelling", "content"),
    [
        pytest.param("main~1:policies", {"a.yaml": "a: 1\n", "deep/b.yaml": "b: 1\n"}, id="a directory"),
        pytest.param("HEAD:policies", {"a.yaml": "a: 2\n", "c.yaml": "c: 2\n", "deep/b.yaml": "b: 1\n"}, id="HEAD"),
        pytest.param("main~1:policies/deep/", {"b.yaml": "b: 1\n"}, id="a directory further down"),
        pytest.param("main~1:./policies/../policies/deep", {"b.yaml": "b: 1\n"}, id="a path from here"),
        pytest.param(
            "main~1:", {"other.yaml": "o: 1\n", "policies/a.yaml": "a: 1\n", "policies/deep/b.yaml": "b: 1\n"}, id="all"
        ),
    ],
)
def test_a_directory_is_as_it_was(repository: Path, stack: ExitStack, spelling: str, content: dict[str, str]) -> None:
    assert files(stack.enter_context(opened(spelling))) == content


def test_a_file_is_as_it_was(repository: Path, stack: ExitStack) -> None:
    found = stack.enter_context(opened("main~1:policies/a.yaml"))
    assert found.path.read_text() == "a: 1\n"
    assert found.told(f"{found.path}:1:2: wrong") == "main~1:policies/a.yaml:1:2: wrong"


def test_a_path_from_a_folder_counts_from_there(
    repository: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "policies")
    assert files(stack.enter_context(opened("main:./deep"))) == {"b.yaml": "b: 1\n"}
    assert files(stack.enter_context(opened("main:policies/deep"))) == {"b.yaml": "b: 1\n"}


def test_with_the_whole_revision_files_are_beside_the_directory(repository: Path, stack: ExitStack) -> None:
    found = stack.enter_context(opened("main~1:policies", whole=True))
    assert (found.path / "../other.yaml").read_text() == "o: 1\n"
    assert found.told(str(found.path / "a.yaml")) == "main~1:policies/a.yaml"


def test_a_path_that_exists_wins(repository: Path, stack: ExitStack) -> None:
    write(repository, **{"main:policies__x_yaml": "x: 1\n"})
    found = stack.enter_context(opened("main:policies"))
    assert files(found) == {"x.yaml": "x: 1\n"}
    assert found.told("main:policies/x.yaml") == "main:policies/x.yaml"


def test_what_was_put_on_disk_is_gone_afterwards(repository: Path) -> None:
    with opened("main:policies") as found:
        assert found.path.is_dir()
    assert not found.path.exists()


def test_the_repository_is_left_alone(repository: Path, stack: ExitStack) -> None:
    before = git(repository, "status", "--porcelain", "--ignored")
    stack.enter_context(opened("main~1:policies"))
    assert git(repository, "status", "--porcelain", "--ignored") == before


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        pytest.param("nope:policies", "no revision 'nope'", id="a revision that is not there"),
        pytest.param("main:nope", "'nope' is not in revision 'main'", id="a path that is not in it"),
        pytest.param("main:../x", "leads out of the repository", id="a path out of the repository"),
        pytest.param(":policies", "'' is not a revision", id="no revision"),
        pytest.param("--output=x:policies", "'--output=x' is not a revision", id="an option"),
    ],
)
def test_what_cannot_be_read_is_said(repository: Path, stack: ExitStack, spelling: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stack.enter_context(opened(spelling))
    assert not (repository / "x").exists()


def test_outside_of_a_repository_it_is_said(tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="not a git repository"):
        stack.enter_context(opened("main:policies"))


def test_without_git_it_is_said(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git is not installed"):
        stack.enter_context(opened("main:policies"))


@pytest.mark.parametrize("spelling", ["main:policies", "main:"])
def test_a_symbolic_link_is_refused(repository: Path, stack: ExitStack, spelling: str) -> None:
    (repository / "policies" / "link.yaml").symlink_to("/etc/hostname")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "link")
    with pytest.raises(InputError, match=r"link\.yaml' is a symbolic link"):
        stack.enter_context(opened(spelling))


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        pytest.param("main:link.yaml", r"'link\.yaml' is a symbolic link", id="a file"),
        pytest.param("main:./link.yaml", r"'link\.yaml' is a symbolic link", id="a file from here"),
        pytest.param("main:links", "'links' is a symbolic link", id="a directory"),
        pytest.param("main:links/a.yaml", "'links' is a symbolic link", id="what leads to a file"),
    ],
)
def test_a_symbolic_link_that_is_asked_for_is_said_to_be_one(
    repository: Path, stack: ExitStack, spelling: str, message: str
) -> None:
    (repository / "link.yaml").symlink_to("policies/a.yaml")
    (repository / "links").symlink_to("policies")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "links")
    (repository / "links").unlink()
    with pytest.raises(InputError, match=message):
        stack.enter_context(opened(spelling))


@pytest.mark.parametrize("spelling", ["main:module", "main:module/a.yaml"])
def test_a_submodule_is_said_to_be_one(repository: Path, stack: ExitStack, spelling: str) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    git(repository, "commit", "-q", "-m", "module")
    with pytest.raises(InputError, match="'module' is a submodule"):
        stack.enter_context(opened(spelling))


def test_a_file_that_is_no_directory_holds_nothing(repository: Path, stack: ExitStack) -> None:
    with pytest.raises(InputError, match=r"'other\.yaml/x' is not in revision 'HEAD@\{0\}'"):
        stack.enter_context(opened("HEAD@{0}:other.yaml/x"))


def test_a_path_is_no_pattern(repository: Path, stack: ExitStack) -> None:
    with pytest.raises(InputError, match=r"'policies/\*\.yaml' is not in revision"):
        stack.enter_context(opened("main:policies/*.yaml"))


@pytest.fixture(name="partial", params=["blob:none", "tree:0"])
def a_partial_clone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """A clone with neither the files nor, in one case, the directories of the first commit."""
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-local", "--no-checkout", f"--filter={request.param}", str(repository), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


@pytest.mark.parametrize(
    "spelling",
    ["HEAD~1:policies/a.yaml", "HEAD~1:policies", "HEAD~1:", "HEAD~1:./policies/deep"],
)
def test_what_a_partial_clone_lacks_is_not_taken_for_what_does_not_exist(
    partial: Path, stack: ExitStack, spelling: str
) -> None:
    with pytest.raises(InputError, match=r"partial clone.*git fetch --refetch --no-filter"):
        opened_together([spelling, "HEAD:nope"], stack)


def test_what_a_partial_clone_lacks_can_be_fetched(partial: Path, stack: ExitStack) -> None:
    git(partial, "fetch", "-q", "--refetch", "--no-filter")
    assert files(stack.enter_context(opened("HEAD~1:policies"))) == {"a.yaml": "a: 1\n", "deep/b.yaml": "b: 1\n"}


def test_a_symbolic_link_elsewhere_does_not_matter(repository: Path, stack: ExitStack) -> None:
    (repository / "link.yaml").symlink_to("/etc/hostname")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "link")
    found = stack.enter_context(opened("main:policies", whole=True))
    assert not (found.path / "../link.yaml").exists()


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MAX_FILES", 1, "holds 3 YAML and JSON files"),
        ("MAX_BYTES", 10, "more than are read"),
        ("MAX_FILE_BYTES", 2, r"a\.yaml' is larger than"),
    ],
)
def test_too_much_is_refused(
    repository: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(gittree, limit, value)
    with pytest.raises(InputError, match=message):
        stack.enter_context(opened("main:policies"))


def test_errors_within_name_files_as_people_know_them(repository: Path) -> None:
    with pytest.raises(PolicyError) as caught, opened("main:policies") as found:
        raise PolicyError((Problem(f"{found.path}/a.yaml:1:1", "wrong", f"see {found.path}/c.yaml"),))
    assert caught.value.problems == (Problem("main:policies/a.yaml:1:1", "wrong", "see main:policies/c.yaml"),)
    with pytest.raises(InputError) as other, opened("main:policies") as found:
        raise InputError("wrong", where=str(found.path / "a.yaml"))
    assert str(other.value) == "main:policies/a.yaml: wrong"


def test_what_makes_one_set_is_opened_together(repository: Path, stack: ExitStack) -> None:
    found = opened_together(["HEAD:./policies", "HEAD:./not-yet"], stack)
    assert [one.name for one in found] == ["HEAD:./policies"]
    assert together(found) == "HEAD:./policies"
    both = opened_together(["HEAD:./policies", "HEAD:./policies"], stack)
    assert together(both) == "HEAD:{policies, policies}"


@pytest.mark.parametrize("spellings", [["HEAD:./not-yet"], ["HEAD:./not-yet", "HEAD:./nor-this"]], ids=["one", "both"])
def test_of_what_makes_one_set_something_must_be_there(
    repository: Path, stack: ExitStack, spellings: list[str]
) -> None:
    with pytest.raises(InputError, match="not-yet"):
        opened_together(spellings, stack)


def test_two_dots_are_two_revisions(repository: Path) -> None:
    assert spread("main~1..main", "policies") == ("main~1:./policies", "main:./policies")
    assert spread("main~1..", "./p") == ("main~1:./p", "HEAD:./p")


def test_one_revision_is_compared_with_the_files(repository: Path) -> None:
    assert spread("main~1", "policies") == ("main~1:./policies", "policies")


def test_three_dots_begin_where_the_branches_parted(repository: Path) -> None:
    parted = git(repository, "rev-parse", "main~1")
    git(repository, "checkout", "-q", "-b", "topic", "main~1")
    git(repository, "commit", "-q", "--allow-empty", "-m", "topic")
    old, new = spread("main...topic", "policies")
    assert (old, new) == (f"{parted[:12]}:./policies", "topic:./policies")


def test_branches_without_a_common_beginning_are_said(repository: Path) -> None:
    git(repository, "checkout", "-q", "--orphan", "other")
    git(repository, "commit", "-q", "-m", "other")
    with pytest.raises(InputError, match="no common ancestor"):
        spread("main...other", "policies")
    with pytest.raises(InputError, match="no revision 'nope'"):
        spread("nope...main", "policies")
