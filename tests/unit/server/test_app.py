"""The HTTP surface: what is answered to whatever is sent, with the real pipeline behind it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.reviews import body, review, small_world
from webhook.admission.review import MAX_BODY_BYTES
from webhook.runtime import Runtime
from webhook.server.app import create_app
from webhook.settings import Settings

JSON = {"Content-Type": "application/json"}
PATHS = ("/validate", "/mutate")


@pytest.fixture(scope="module", name="runtime")
def runtime_of_a_small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("world")
    policies, cluster = small_world(folder)
    runtime = Runtime(
        Settings(policies=(policies,), cluster=(cluster,), audit_log=folder / "audit.jsonl", audit_sync="flush")
    )
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module", name="client")
def flask_client(runtime: Runtime) -> FlaskClient:
    return create_app(runtime).test_client()


@pytest.fixture(name="records")
def audit_log_reader(runtime: Runtime):
    path = runtime._settings.audit_log
    assert isinstance(path, Path)
    before = len(path.read_text().splitlines())
    return lambda: [json.loads(line) for line in path.read_text().splitlines()[before:]]


@pytest.mark.parametrize("path", PATHS)
def test_a_review_is_answered_with_its_uid(client, path):
    answer = client.post(path, data=body(), headers=JSON)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json["kind"] == "AdmissionReview"
    assert answer.json["response"]["uid"] == review()["request"]["uid"]
    assert answer.json["response"]["allowed"] is True


def test_a_refusal_names_policy_and_next_step(client):
    response = client.post("/validate?timeout=10s", data=body("forbidden"), headers=JSON).json["response"]
    assert response["allowed"] is False
    message = response["status"]["message"]
    assert "no-forbidden-names" in message
    assert "this name is forbidden" in message
    assert "take another name" in message


def test_each_decision_is_on_record_with_the_id_in_the_annotations(client, records):
    response = client.post("/validate", data=body("forbidden", dryRun=True), headers=JSON).json["response"]
    (found,) = records()
    assert found["decision_id"] == response["auditAnnotations"]["decision-id"]
    assert found["path"] == "validate"
    assert found["input"]["request"]["dryRun"] is True
    assert found["result"]["response"]["allowed"] is False
    assert found["evaluations"][0]["policy"] == "no-forbidden-names"


def test_content_type_may_have_a_charset(client):
    answer = client.post("/validate", data=body(), headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 200


CHUNKED = {"Transfer-Encoding": "chunked"}
TOO_LARGE = body().ljust(MAX_BODY_BYTES) + b"x"
"""A good review up to the limit, and something after it."""
REFUSED = [
    pytest.param("GET", "/validate", JSON, b"", 405, "does not take GET", id="get"),
    pytest.param("HEAD", "/validate", JSON, b"", 405, "", id="head"),
    pytest.param("OPTIONS", "/mutate", JSON, b"", 405, "does not take OPTIONS", id="options"),
    pytest.param("PUT", "/mutate", JSON, body(), 405, "does not take PUT", id="put"),
    pytest.param("BREW", "/mutate", JSON, body(), 405, "does not take BREW", id="unknown-method"),
    pytest.param("POST", "/", JSON, body(), 404, "there is nothing at /", id="root"),
    pytest.param("POST", "/validate/", JSON, body(), 404, "there is nothing at /validate/", id="trailing-slash"),
    pytest.param("POST", "/metrics", JSON, b"", 404, "there is nothing at /metrics", id="health-path"),
    pytest.param("GET", "/static/x", JSON, b"", 404, "there is nothing at /static/x", id="flask-default"),
    pytest.param("POST", "/validate", {}, body(), 415, "the content type is 'none'", id="no-content-type"),
    pytest.param("POST", "/validate", {"Content-Type": "text/plain"}, body(), 415, "'text/plain'", id="text"),
    pytest.param("POST", "/validate", {"Content-Type": "application/yaml"}, body(), 415, "yaml", id="yaml"),
    pytest.param("POST", "/validate", {**JSON, "Content-Encoding": "gzip"}, body(), 415, "'gzip'", id="compressed"),
    pytest.param("POST", "/validate", JSON, b" " * (MAX_BODY_BYTES + 1), 413, "is larger than", id="too-large"),
    pytest.param("POST", "/validate", {**JSON, **CHUNKED}, TOO_LARGE, 413, "is larger than", id="too-large-chunked"),
    pytest.param("POST", "/validate", JSON, b"", 400, "", id="empty"),
    pytest.param("POST", "/validate", JSON, b"{", 400, "not JSON", id="not-json"),
    pytest.param("POST", "/validate", JSON, b"[]", 400, "not an AdmissionReview", id="not-a-review"),
    pytest.param("POST", "/validate", JSON, b"\xff\xfe", 400, "not UTF-8", id="not-utf-8"),
    pytest.param("POST", "/validate", JSON, b"[" * 100_000, 400, "nested deeper", id="deep"),
    pytest.param("POST", "/validate", JSON, body(uid=""), 400, "uid", id="no-uid"),
    pytest.param("POST", "/validate", JSON, body(object=None), 400, "request.object is missing", id="null-object"),
    pytest.param("POST", "/validate", JSON, body().replace(b'"spec"', b'"metadata"'), 400, "twice", id="twice"),
    pytest.param("POST", "/validate", JSON, body().replace(b'"db"', b"NaN"), 400, "NaN", id="nan"),
    pytest.param(
        "POST", "/validate", JSON, body().replace(b"k8s.io/v1", b"k8s.io/v1beta1"), 400, "v1beta1", id="v1beta1"
    ),
]


def sent(data: bytes, *, chunked: bool) -> dict[str, Any]:
    """The body, with its length or as gunicorn hands over one that came in chunks: a stream that ends."""
    if not chunked:
        return {"data": data}
    return {"input_stream": io.BytesIO(data), "environ_overrides": {"wsgi.input_terminated": True}}


@pytest.mark.parametrize(("method", "path", "headers", "data", "status", "says"), REFUSED)
def test_what_is_no_review_gets_a_clear_4xx(client, *, method, path, headers, data, status, says):
    answer = client.open(path, method=method, headers=headers, **sent(data, chunked="Transfer-Encoding" in headers))
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    if method != "HEAD":
        assert says in answer.json["error"]
        assert set(answer.json) == {"error", "hint"}
    if status == 405:
        assert answer.headers["Allow"] == "POST"
    if status in {404, 405} and method != "HEAD":
        assert "/validate" in answer.json["hint"]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", ["//validate", "///mutate"])
def test_more_slashes_make_another_path(client, method, path):
    answer = client.open("/", method=method, data=body(), headers=JSON, environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 404
    assert answer.json["error"] == f"there is nothing at {path}"


def test_even_a_failure_of_the_failure_answer_shows_no_insides(runtime, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("inside")

    monkeypatch.setattr(runtime, "decide", fail)
    monkeypatch.setattr(runtime, "undecided", fail)
    answer = create_app(runtime).test_client().post("/validate", data=body(), headers=JSON)
    assert answer.status_code == 500
    assert answer.json is not None
    assert set(answer.json) == {"error", "hint"}
    assert "inside" not in answer.text
    assert "Traceback" not in answer.text
    assert any(record.exc_info for record in caplog.records)


def test_what_is_refused_is_counted_by_status(runtime, client):
    def count() -> float:
        return runtime.metrics.registry.get_sample_value("migguard_review_errors_total", {"status": "415"}) or 0

    before = count()
    client.post("/validate", data=body())
    assert count() == before + 1


def well_formed(answer) -> bool:
    """A 4xx with a reason, or an AdmissionReview; and never an allow of something that was not parsed."""
    if 400 <= answer.status_code < 500:
        return bool(answer.json["error"])
    response = answer.json["response"]
    return answer.status_code == 200 and isinstance(response["allowed"], bool) and bool(response["uid"])


@pytest.mark.parametrize("path", PATHS)
@given(data=st.binary(max_size=2000), chunked=st.booleans())
def test_any_bytes_get_a_well_formed_refusal(client, path, data, chunked):
    answer = client.post(path, headers={**JSON, **(CHUNKED if chunked else {})}, **sent(data, chunked=chunked))
    assert answer.status_code < 500
    assert well_formed(answer)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
FIELDS = [
    "uid",
    "kind",
    "resource",
    "operation",
    "namespace",
    "name",
    "userInfo",
    "object",
    "oldObject",
    "options",
    "dryRun",
]


@given(junk=st.binary(min_size=1, max_size=20).filter(bytes.strip), spare=st.integers(0, 40), chunked=st.booleans())
@settings(max_examples=20, deadline=None)
def test_what_follows_a_review_is_never_cut_off_and_forgotten(client, junk, spare, chunked):
    """Whether the limit is before, in or after what follows."""
    data = body().ljust(MAX_BODY_BYTES - spare) + junk
    answer = client.post("/validate", headers={**JSON, **(CHUNKED if chunked else {})}, **sent(data, chunked=chunked))
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
def test_a_body_as_large_as_is_allowed_is_decided(client, chunked):
    data = sent(body().ljust(MAX_BODY_BYTES), chunked=chunked)
    answer = client.post("/validate", headers={**JSON, **(CHUNKED if chunked else {})}, **data)
    assert answer.json["response"]["allowed"] is True


@pytest.mark.parametrize("path", PATHS)
@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4),
    operation=st.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
    timeout=st.sampled_from(["", "10s", "0s", "1ns", "-1s", "never", "999999h", "9" * 60]),
)
def test_a_review_with_anything_in_its_fields_gets_a_well_formed_answer(client, path, changes, operation, timeout):
    request = {"operation": operation, "oldObject": {"metadata": {"name": "old"}}, **changes}
    answer = client.post(path, query_string={"timeout": timeout}, data=json.dumps(review(**request)), headers=JSON)
    assert answer.status_code < 500
    assert well_formed(answer)


@pytest.mark.parametrize("path", PATHS)
@given(metadata=ANYTHING, spec=ANYTHING, status=ANYTHING)
def test_a_review_of_any_object_is_decided_or_refused_as_json(client, path, metadata, spec, status):
    thing = {"metadata": metadata, "spec": spec, "status": status}
    answer = client.post(path, data=json.dumps(review(object=thing)), headers=JSON)
    assert answer.status_code < 500
    assert well_formed(answer)
