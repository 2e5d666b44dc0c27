"""Change the built-in policies, one expression or one part at a time, and see that their own tests notice.

    python -m tests.mutation                       every built-in policy
    python -m tests.mutation cancel-guard --show   one of them, with what killed each mutant
    python -m tests.mutation --jobs 8

Exit code: 0 every mutant was killed or is declared equivalent, 1 some survived, 2 wrong use or input.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutation import equivalents, report
from tests.mutation.trial import Result, Trial
from webhook.errors import MigguardError

POLICIES = Path("policies")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    options = _options(arguments)
    known = sorted(folder.name for folder in POLICIES.iterdir() if (folder / "policy.yaml").exists())
    if unknown := sorted(set(options.policies) - set(known)):
        _tell(f"there is no policy {', '.join(unknown)} in {POLICIES}/")
        return 2
    names = sorted(set(options.policies)) or known
    try:
        results = _all(names, options.jobs)
    except MigguardError as error:
        _tell(str(error))
        return 2
    everything = [one for found in results.values() for one in found]
    equivalent = equivalents.declared()
    wrong = [*equivalents.wrong(equivalent, everything, skipped=set(known) - set(names))]
    left = report.survivors(everything, equivalent)
    verdicts = report.verdicts(everything, equivalent) if options.show else ()
    for text in (report.numbers(results, equivalent), *verdicts, *report.survived(left), *wrong):
        sys.stdout.write(f"{text}\n")
    return 1 if left or wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("policies", metavar="POLICY", nargs="*", help="names of built-in policies; all without any")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each CPU)")
    parser.add_argument("--show", action="store_true", help="print every mutant with what became of it")
    return parser.parse_args(arguments)


def _all(names: Sequence[str], jobs: int) -> Mapping[str, list[Result]]:
    """The results of each policy, in order of name. Progress goes to stderr."""
    found: dict[str, list[Result]] = {}
    with multiprocessing.Pool(max(1, min(jobs, len(names)))) as pool:
        for name, results in pool.imap_unordered(_one, names):
            found[name] = results
            survived = sum(not one.killed for one in results)
            _tell(f"[{len(found)}/{len(names)}] {name}: {len(results)} mutants, {survived} left")
    return {name: found[name] for name in names}


def _one(name: str) -> tuple[str, list[Result]]:
    return name, Trial(POLICIES / name).results()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
