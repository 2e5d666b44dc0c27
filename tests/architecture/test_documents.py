"""The documents say what is true: generated pages are fresh, examples load, links lead somewhere, samples run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from docs import generate
from webhook.admission.natives import CATALOG
from webhook.cli.main import run
from webhook.policy import schema
from webhook.policy.policyset import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\((?!https?://|#)([^)#]+)[^)]*\)")


POLICIES = sorted(path.name for path in (ROOT / "policies").iterdir() if path.is_dir())
PAGES = [
    "commands.md",
    "facts.md",
    "cel.md",
    "settings.md",
    "lint.md",
    "policies/README.md",
    *(f"policies/{name}.md" for name in POLICIES),
]


def _blocks(document: Path, language: str) -> list[str]:
    return [block.group(2) for block in _BLOCK.finditer(document.read_text("utf-8")) if block.group(1) == language]


@pytest.fixture(scope="module", name="pages")
def generated_pages() -> Mapping[str, str]:
    return generate.pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str, pages: Mapping[str, str]) -> None:
    written = (generate.REFERENCE / name).read_text("utf-8")
    assert written == pages[name], "run 'make docs' and commit what it writes"


def test_there_is_a_page_for_every_policy_and_none_for_one_that_is_gone(pages: Mapping[str, str]) -> None:
    assert sorted(pages) == sorted(PAGES)
    assert generate.stale(pages) == []


def test_generating_twice_gives_the_same(pages: Mapping[str, str]) -> None:
    assert generate.pages() == pages


def _with_examples() -> dict[str, list[Path]]:
    """Documents whose examples are loaded together: each by itself, but the many pages of the policies at once."""
    found: dict[str, list[Path]] = {}
    for path in DOCUMENTS:
        if _blocks(path, "yaml"):
            together = path.parent if path.parent == generate.REFERENCE / "policies" else path
            found.setdefault(str(together.relative_to(ROOT)), []).append(path)
    return found


@pytest.mark.parametrize("documents", _with_examples().values(), ids=_with_examples().keys())
def test_the_policies_in_a_document_load_beside_the_built_in_ones(documents: list[Path], tmp_path: Path) -> None:
    for document in documents:
        for number, block in enumerate(_blocks(document, "yaml")):
            assert f"apiVersion: {schema.API_VERSION}" in block
            (tmp_path / f"{document.stem}-{number}.yaml").write_text(block, "utf-8")
    load([ROOT / "policies", tmp_path], CATALOG)


@pytest.mark.parametrize("document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS])
def test_links_and_mentioned_files_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    linked = [(document.parent / target).resolve() for target in _LINK.findall(text)]
    mentioned = [
        ROOT / name for name in re.findall(r"`((?:policies|examples|tests|webhook|docs)/[\w./-]+\.\w+)`", text)
    ]
    invented = {ROOT / "policies/no-migration-of-vms-on-hold/policy.yaml"}
    assert [path for path in [*linked, *mentioned] if not path.exists() and path not in invented] == []


def test_the_shell_blocks_of_the_policy_page_run() -> None:
    page = (ROOT / "docs" / "write-a-policy.md").read_text("utf-8")
    commands = [block.group(2).strip() for block in _BLOCK.finditer(page) if block.group(1) == "sh"]
    assert [command.split()[:2] for command in commands] == [
        [".venv/bin/migguard", "test"],
        [".venv/bin/migguard", "review"],
    ]
    for command in commands:
        arguments = [str(ROOT / word) if "/" in word else word for word in command.split()[1:]]
        arguments = [str(ROOT / "policies") if word == "policies" else word for word in arguments]
        assert run(arguments) == 0


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        ("1-allowed", 0),
        ("2-no-right", 1),
        ("3-read-write-once", 1),
        ("4-critical-post-copy", 1),
        ("5-bandwidth-defaulted", 0),
        ("6-too-parallel", 1),
    ],
)
def test_the_sample_requests_are_decided_as_their_names_say(sample: str, code: int) -> None:
    file = ROOT / "examples" / "requests" / f"{sample}.yaml"
    arguments = ["review", "-f", str(file), "--policies", str(ROOT / "policies")]
    assert run([*arguments, "--cluster", str(ROOT / "examples" / "cluster")]) == code


def test_importing_the_offline_commands_needs_no_web_server_and_no_kubernetes_client() -> None:
    script = (
        "import sys, webhook.cli.review, webhook.cli.test;"
        "print([name for name in ('flask', 'gunicorn', 'kubernetes', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_nothing_in_the_repository_names_this_machine_or_a_package_registry() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    forbidden = re.compile(r"/root/|/home/\w|pypi\.org|files\.pythonhosted|proxy\.golang|registry\.npmjs|deb\.debian")
    own = Path(__file__).relative_to(ROOT)
    texts = [Path(name) for name in tracked.split("\0") if name and Path(name) != own]
    found = [
        str(name)
        for name in texts
        if (ROOT / name).is_file() and forbidden.search((ROOT / name).read_text("utf-8", errors="replace"))
    ]
    assert found == []


def test_the_readme_shows_what_can_migrate_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (shown,) = [block for block in _blocks(ROOT / "README.md", "console") if "migguard can-migrate" in block]
    command, *lines = shown.rstrip().splitlines()
    assert run(command.removeprefix("$ .venv/bin/migguard ").split()) == 1
    said = capsys.readouterr().out.splitlines()
    assert lines[-1] == "…"
    assert said[: len(lines) - 1] == lines[:-1]
