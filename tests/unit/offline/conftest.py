"""What the tests of the offline tools share."""

from pathlib import Path

import pytest

from tests.support.policytests import Write, writing


@pytest.fixture(name="write")
def write_test(tmp_path: Path) -> Write:
    """Write a PolicyTest of these cases beside the policies, and return the directory."""
    return writing(tmp_path)
