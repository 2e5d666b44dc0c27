"""What counts as a change, and that parts of a log add up to the whole."""

# ruff: noqa: E501 - a case is one line

import json

import pytest
from hypothesis import given as with_any
from hypothesis import strategies as st

from tests.support.engine import policy
from tests.unit.impact.replaying import given, migration, policies, recorded
from webhook.impact.replay import tally as replaytally
from webhook.impact.replay.log import Line
from webhook.impact.replay.record import ALLOWED, DENIED, OPEN, Outcome
from webhook.impact.replay.tally import Change, Tally, by_policy, changes

FINE = Outcome(verdict=ALLOWED)
RECORD = recorded(policies(policy()), migration())


def refused(*by: str) -> Outcome:
    return Outcome(verdict=DENIED, denied_by=by)


def warned(*by: str, verdict: str = ALLOWED, unknown: tuple[tuple[str, str], ...] = ()) -> Outcome:
    return Outcome(verdict=verdict, warned_by=by, unknown=unknown)


def patched(*patches: tuple[str, str], verdict: str = ALLOWED) -> Outcome:
    return Outcome(verdict=verdict, patches=patches)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(FINE, FINE, [], id="nothing"),
        pytest.param(FINE, refused("a", "b"), [(Change.REFUSED, "a"), (Change.REFUSED, "b")], id="refused-by-two"),
        pytest.param(refused("a"), FINE, [(Change.LET_THROUGH, "a")], id="let-through"),
        pytest.param(refused("a"), refused("b"), [], id="refused-by-another"),
        pytest.param(FINE, warned("a"), [(Change.WARNED, "a")], id="warned"),
        pytest.param(warned("a", "b"), warned("b"), [(Change.UNWARNED, "a")], id="no-longer-warned"),
        pytest.param(warned("a"), refused("a"), [(Change.REFUSED, "a")], id="a-warning-becomes-a-refusal"),
        pytest.param(refused("a"), warned("a"), [(Change.LET_THROUGH, "a")], id="a-refusal-becomes-a-warning"),
        pytest.param(warned("a"), warned(unknown=(("a", "why"),)), [], id="a-warning-that-cannot-be-told"),
        pytest.param(FINE, warned("b", unknown=(("", "why"),)), [], id="nothing-can-be-told"),
        pytest.param(FINE, Outcome(verdict=OPEN, warned_by=("b",), unknown=(("a", "why"),)), [(Change.WARNED, "b")], id="the-verdict-is-open-a-warning-is-not"),
        pytest.param(patched(("a", "1")), patched(("a", "2")), [(Change.PATCHED, "a")], id="another-patch"),
        pytest.param(patched(("a", "1"), ("a", "2")), patched(("a", "1"), ("a", "2")), [], id="the-same-patches"),
        pytest.param(FINE, patched(("a", "1")), [(Change.PATCHED, "a")], id="a-patch-more"),
        pytest.param(patched(("a", "1"), verdict=DENIED), patched(("a", "2"), verdict=DENIED), [], id="what-is-refused-is-not-patched"),
    ],
)  # fmt: skip
def test_what_counts_as_a_change(before, after, expected):
    assert list(changes(before, after)) == expected


def line(number: int) -> Line:
    return Line("log", number, json.dumps(RECORD).encode())


def tally_of(outcomes: list[tuple[str, Outcome]], start: int = 0) -> Tally:
    """Count decisions of these users that were allowed and now come to these outcomes."""
    tally = Tally()
    for number, (user, outcome) in enumerate(outcomes, start):
        record = {**RECORD, "requested_by": user, "timestamp": f"2026-03-01T00:{number:02}:00.000000Z"}
        tally.compared(line(number), given(record), FINE, outcome, frozenset())
    return tally


OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from([FINE, refused("a"), refused("a", "b"), warned("a"), warned(unknown=(("a", "why"),))]),
    ),
    max_size=20,
)


@with_any(outcomes=OUTCOMES, cut=st.integers(min_value=0, max_value=20))
def test_parts_add_up_to_the_whole(outcomes, cut):
    total = Tally()
    total.add(tally_of(outcomes[:cut]))
    total.add(tally_of(outcomes[cut:], start=len(outcomes[:cut])))
    assert total == tally_of(outcomes)


def test_a_decision_counts_once_for_a_change_however_many_policies_make_it():
    tally = tally_of([("alice", refused("a", "b"))])
    assert tally.decisions[Change.REFUSED] == 1
    assert {place.policy: row.decisions for place, row in tally.rows.items()} == {"a": 1, "b": 1}


def test_the_example_is_the_first_and_times_are_the_outermost():
    tally = tally_of([("alice", refused("a"))] * 3)
    ((_, row),) = tally.rows.items()
    assert (row.place, row.first, row.last) == ("log:0", "2026-03-01T00:00:00.000000Z", "2026-03-01T00:02:00.000000Z")
    assert json.loads(row.record) == RECORD


def test_only_wanted_policies_count():
    tally = Tally()
    tally.compared(line(1), given(RECORD), FINE, refused("a", "b"), frozenset({"b"}))
    assert [place.policy for place in tally.rows] == ["b"]


def test_users_without_number_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(replaytally, "MAX_ROWS", 3)
    tally = tally_of([(f"user-{number}", refused("a")) for number in range(10)])
    assert len(tally.rows) == 4
    assert sum(row.decisions for row in tally.rows.values()) == 10


def test_groups_are_ordered_by_change_then_by_how_many():
    tally = tally_of([("bob", warned("w")), *[("alice", refused("b"))] * 3, ("bob", refused("a", "b"))])
    groups = by_policy(tally.rows.items())
    assert list(groups) == [(Change.REFUSED, "b"), (Change.REFUSED, "a"), (Change.WARNED, "w")]
    assert [place.user for place, _ in groups[Change.REFUSED, "b"]] == ["alice", "bob"]
