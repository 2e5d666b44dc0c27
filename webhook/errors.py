"""The exception tree of migguard.

::

    MigguardError            one line for people, with a place, a hint and an exit code
    ├── UsageError           wrong flags or arguments                                   exit 2
    ├── InputError           a file or request is not what it should be                 exit 2
    │   ├── PolicyError      one or more problems in policy documents, each with file:line:column
    │   └── ReviewError      a body that is not an AdmissionReview v1
    ├── ClusterError         the kube-apiserver cannot be reached or refuses us         exit 3
    ├── AuditError           a decision cannot be put on record                         exit 3
    └── FactUnavailable      a fact cannot be known now (stale cache, time is up, look-up failed)

``FactUnavailable`` is an answer of the engine rather than an accident: policies' ``failurePolicy`` says what it means.
Foreign exceptions (kubernetes, urllib3, CEL) are mapped to these at the border of the package that owns the library.
"""

from __future__ import annotations

from dataclasses import dataclass


class MigguardError(Exception):
    """Base of all errors meant for people: prints as ``where: message (hint)``, never as a traceback."""

    exit_code = 3

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class UsageError(MigguardError):
    """The command was called wrongly."""

    exit_code = 2


class InputError(MigguardError):
    """Something handed to us cannot be read as what it should be."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a document: where (``file:line:column``), what, and what to do."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class PolicyError(InputError):
    """Policy documents cannot be used; carries every problem found, in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ReviewError(InputError):
    """A request body is not an AdmissionReview v1 that we can judge; ``status`` is the HTTP status to answer with."""

    def __init__(self, message: str, *, status: int = 400, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ClusterError(MigguardError):
    """The kube-apiserver cannot be reached, or does not let us read what we must."""


class AuditError(MigguardError):
    """A decision cannot be put on record; people's requests are then refused rather than answered unseen."""


class FactUnavailable(MigguardError):  # noqa: N818 - an answer of the engine rather than an accident
    """A fact cannot be known now; the message says which look-up failed and why."""
