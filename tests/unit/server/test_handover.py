"""What a worker leaves to the next is there whole, whatever happened to the worker."""

import errno
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.handover import Handover


@pytest.fixture(name="kept")
def handover_that_is_closed() -> Iterator[Handover]:
    made = Handover()
    yield made
    made.close()


def test_the_first_worker_finds_nothing(kept):
    assert kept.found() is None


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6))
def test_what_was_left_last_is_found(contents):
    kept = Handover()
    for content in contents:
        kept.leave(content)
        assert kept.found() == content
    kept.close()


def test_what_a_process_left_is_found_by_the_next(kept):
    if (child := os.fork()) == 0:
        kept.leave(b"good")
        os._exit(0)
    os.waitpid(child, 0)
    assert kept.found() == b"good"


@pytest.mark.parametrize("bytes_written", [0, 1, 20, 40, 45])
def test_a_writing_that_was_cut_short_leaves_what_was_there(kept, monkeypatch, bytes_written):
    def cut(descriptor, data, offset, write=os.pwrite):
        write(descriptor, data[:bytes_written], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    kept.leave(b"older")
    kept.leave(b"good")
    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", cut)
            with pytest.raises(OSError, match="No space"):
                kept.leave(b"never whole")
        assert kept.found() == b"good"
    kept.leave(b"newer")
    assert kept.found() == b"newer"


def test_nothing_of_it_has_a_name(tmp_path):
    kept = Handover(tmp_path)
    kept.leave(b"good")
    assert list(tmp_path.iterdir()) == []
    kept.close()
