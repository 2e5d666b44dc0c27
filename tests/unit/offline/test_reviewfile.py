"""An AdmissionReview from a file: what is wrong with one is said in one line with its place."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.support.reviews import review
from webhook.errors import InputError
from webhook.offline.reviewfile import read_review


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_json_and_yaml_are_the_same(tmp_path, form):
    path = tmp_path / "review"
    path.write_text(json.dumps(review("move")) if form == "json" else yaml.safe_dump(review("move")))
    asked = read_review(str(path))
    assert (asked.name, asked.namespace, asked.user.username) == ("move", "prod", "alice")


def test_what_is_no_review_is_told_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "pod.yaml"
    path.write_text("kind: Pod\n")
    with pytest.raises(InputError, match=r"pod\.yaml: the body is not an AdmissionReview"):
        read_review(str(path))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_review(str(tmp_path / "none.yaml"))
