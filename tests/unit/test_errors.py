"""The exception tree: what people read, and what the process exits with."""

from __future__ import annotations

import re

import pytest

from webhook import errors
from webhook.errors import (
    AuditError,
    ClusterError,
    FactUnavailable,
    InputError,
    MigguardError,
    PolicyError,
    Problem,
    ReviewError,
    UsageError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(MigguardError("it broke"), "it broke", id="message"),
        pytest.param(MigguardError("it broke", where="a.yaml:3:1"), "a.yaml:3:1: it broke", id="place"),
        pytest.param(MigguardError("it broke", hint="mend it"), "it broke (mend it)", id="hint"),
        pytest.param(MigguardError("it broke", where="a:1:2", hint="mend it"), "a:1:2: it broke (mend it)", id="all"),
        pytest.param(ReviewError("no uid", hint="send one"), "no uid (send one)", id="review"),
        pytest.param(Problem("a.yaml:3:1", "it broke"), "a.yaml:3:1: it broke", id="problem"),
        pytest.param(Problem("a.yaml:3:1", "it broke", "mend it"), "a.yaml:3:1: it broke (mend it)", id="problem hint"),
    ],
)
def test_an_error_prints_as_place_message_and_hint(error: object, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (InputError("x"), 2),
        (PolicyError((Problem("a:1:1", "x"),)), 2),
        (ReviewError("x"), 2),
        (ClusterError("x"), 3),
        (AuditError("x"), 3),
        (FactUnavailable("x"), 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_wrong_use_and_input_exit_with_2_and_failures_with_3(error: MigguardError, code: int) -> None:
    assert error.exit_code == code


def test_a_policy_error_shows_every_problem_on_a_line_of_its_own() -> None:
    error = PolicyError((Problem("a.yaml:1:1", "first"), Problem("b.yaml:2:2", "second", "mend it")))

    assert str(error).splitlines() == ["a.yaml:1:1: first", "b.yaml:2:2: second (mend it)"]
    assert [problem.message for problem in error.problems] == ["first", "second"]


@pytest.mark.parametrize(("error", "status"), [(ReviewError("x"), 400), (ReviewError("x", status=413), 413)])
def test_a_review_error_says_with_which_http_status_to_answer(error: ReviewError, status: int) -> None:
    assert error.status == status


def test_every_exception_is_one_of_ours_and_is_drawn_in_the_tree() -> None:
    classes = {
        name: item for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)
    }

    assert all(issubclass(item, MigguardError) for item in classes.values())
    assert set(re.findall(r"\b(\w+(?:Error|Unavailable))\b", errors.__doc__ or "")) == set(classes)
