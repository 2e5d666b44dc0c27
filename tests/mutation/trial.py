"""Runs a policy's own tests against a mutant of it, until the first of them fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of
from webhook.admission.natives import CATALOG
from webhook.cluster.store import Store
from webhook.errors import UsageError
from webhook.offline.testing.run import judge
from webhook.offline.testing.suite import Case, Suite, suites
from webhook.offline.testing.world import documents_of, store_of
from webhook.policy.compiled import compile_policies
from webhook.policy.document import Documents, GuardPolicy
from webhook.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True)
class Result:
    """A mutant that compiles, and the case that failed with it; empty: it survived."""

    mutant: Mutant
    killer: str

    @property
    def killed(self) -> bool:
        """Whether a case noticed."""
        return bool(self.killer)


@dataclass(frozen=True, slots=True)
class _Run:
    """One case with what it is run in; ``setting`` says which of the compiled policy sets."""

    setting: str
    suite: Suite
    case: Case
    store: Store

    @property
    def name(self) -> str:
        return f"{self.suite.name}/{self.case.name}"

    def passes(self, policies: PolicySet) -> bool:
        """Judge it with other policies than those on disk."""
        return judge(self.suite, self.case, policies, self.store).passed


class Trial:
    """The tests of one policy, read once. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._settings: dict[str, Documents] = {}
        self._runs: list[_Run] = []
        for suite in suites([folder]):
            documents = documents_of(suite)
            setting = f"{documents.digest} {json.dumps(documents.parameters, sort_keys=True)}"
            self._settings.setdefault(setting, documents)
            store = store_of(suite)
            self._runs += [_Run(setting, suite, case, store) for case in suite.cases]
        self.policy = self._own(folder)
        self.cases = len(self._runs)

    def results(self) -> list[Result]:
        """Judge every mutant that compiles. Raises UsageError if the tests fail without any change."""
        if failed := self.verdict(self.policy):
            raise UsageError(f"{self.policy.name}: {failed} fails without any change", hint="migguard test policies")
        found = []
        for mutant in mutants_of(self.policy):
            killer = self.verdict(mutant.applied(self.policy.document))
            if killer is not None:
                found.append(Result(mutant, killer))
        return found

    def verdict(self, policy: GuardPolicy) -> str | None:
        """Return the first ``SUITE/CASE`` that fails with a changed policy, or nothing; None if it does not compile.

        A case that failed is tried first the next time: it is about the part that is being changed.
        """
        compiled: dict[str, PolicySet] = {}
        for index, one in enumerate(self._runs):
            if one.setting not in compiled:
                policies = _compiled(self._settings[one.setting], policy)
                if policies is None:
                    return None
                compiled[one.setting] = policies
            if not one.passes(compiled[one.setting]):
                self._runs.insert(0, self._runs.pop(index))
                return one.name
        return ""

    def _own(self, folder: Path) -> GuardPolicy:
        for documents in self._settings.values():
            for policy in documents.policies:
                if policy.name == folder.name:
                    return policy
        raise UsageError(f"{folder} holds no tests of a policy '{folder.name}'")


def _compiled(documents: Documents, policy: GuardPolicy) -> PolicySet | None:
    """The set with one policy in place of that of the same name; None if it does not compile."""
    policies = tuple(policy if one.name == policy.name else one for one in documents.policies)
    compiled, problems = compile_policies(replace(documents, policies=policies), CATALOG)
    if problems:
        return None
    return PolicySet(
        revision="mutant",
        policies=compiled,
        exemptions=documents.exemptions,
        parameters=documents.parameters,
        catalog=CATALOG,
    )
