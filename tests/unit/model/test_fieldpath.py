"""Paths of fields, as watched resources write them."""

import pytest

from webhook.model.fieldpath import steps


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("spec.vmiName", ("spec", "vmiName"), id="dotted"),
        pytest.param("spec.volumes[].name", ("spec", "volumes", "[]", "name"), id="items"),
        pytest.param('metadata.annotations["a.b/c"]', ("metadata", "annotations", "a.b/c"), id="quoted"),
    ],
)
def test_a_path_is_read_as_watched_resources_write_it(text, path):
    assert steps(text) == path


@pytest.mark.parametrize("text", ["", "a[b]", "a.]"])
def test_what_is_no_path_is_an_error(text):
    with pytest.raises(ValueError, match="kept path"):
        steps(text)
