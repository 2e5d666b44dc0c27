"""The wire format: any bytes give a request or a ReviewError, and a decision gives a well-formed AdmissionReview."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.engine import labelled, migration
from webhook.admission.review import MAX_BODY_BYTES, MAX_DEPTH, decode, parse, render
from webhook.errors import ReviewError
from webhook.model.decision import Decision
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation

Json = dict[str, Any]

REQUEST: Json = {
    "uid": "705ab4f5",
    "kind": {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"},
    "resource": {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"},
    "operation": "CREATE",
    "namespace": "prod",
    "name": "move",
    "userInfo": {"username": "alice"},
    "object": migration(),
}


def _review(**request: Any) -> Json:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**REQUEST, **request}}


def _parse(**request: Any) -> AdmissionRequest:
    return parse(json.dumps(_review(**request)).encode())


def _error(body: bytes) -> ReviewError:
    with pytest.raises(ReviewError) as caught:
        parse(body)
    return caught.value


# A right review


def test_a_creation_is_read_with_its_defaults() -> None:
    request = _parse()

    assert request.uid == "705ab4f5"
    assert request.kind == GroupVersionKind("kubevirt.io", "v1", "VirtualMachineInstanceMigration")
    assert request.resource == GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancemigrations")
    assert request.operation is Operation.CREATE
    assert (request.namespace, request.name, request.subresource) == ("prod", "move", "")
    assert request.object == migration()
    assert request.old_object is None
    assert request.request_kind is None
    assert request.request_resource is None
    assert (request.user.username, request.user.uid, request.user.groups, request.user.extra) == ("alice", "", (), {})
    assert not request.dry_run


def test_everything_a_review_says_is_read() -> None:
    request = _parse(
        operation="UPDATE",
        subResource="status",
        requestSubResource="status",
        requestKind={"group": "kubevirt.io", "version": "v1alpha3", "kind": "VirtualMachineInstanceMigration"},
        requestResource={"group": "kubevirt.io", "version": "v1alpha3", "resource": "virtualmachineinstancemigrations"},
        userInfo={
            "username": "alice",
            "uid": "u-1",
            "groups": ["a", "b"],
            "extra": {"authentication.kubernetes.io/pod-name": ["x", "y"]},
        },
        oldObject=labelled(old="yes"),
        options={"kind": "UpdateOptions", "fieldManager": "kubectl"},
        dryRun=True,
    )

    assert request.operation is Operation.UPDATE
    assert request.subresource == request.request_subresource == "status"
    assert request.request_kind is not None
    assert request.request_kind.version == "v1alpha3"
    assert request.request_resource is not None
    assert request.request_resource.version == "v1alpha3"
    assert request.user.uid == "u-1"
    assert request.user.groups == ("a", "b")
    assert request.user.extra == {"authentication.kubernetes.io/pod-name": ("x", "y")}
    assert request.old_object == labelled(old="yes")
    assert request.options == {"kind": "UpdateOptions", "fieldManager": "kubectl"}
    assert request.dry_run


def test_managed_fields_are_left_out_of_both_objects() -> None:
    metadata = {"name": "move", "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]}
    request = _parse(operation="UPDATE", object={"metadata": metadata}, oldObject={"metadata": metadata})

    assert request.object == request.old_object == {"metadata": {"name": "move"}}


@pytest.mark.parametrize(
    ("fields", "attribute", "read"),
    [
        ({"dryRun": "true"}, "dry_run", False),
        ({"dryRun": None}, "dry_run", False),
        ({"name": None}, "name", ""),
        ({"name": 7}, "name", ""),
        ({"subResource": None}, "subresource", ""),
        ({"requestKind": None}, "request_kind", None),
        ({"options": None}, "options", None),
        ({"object": {}}, "object", {}),
        ({"object": {"metadata": None}}, "object", {"metadata": None}),
        ({"object": {"metadata": []}}, "object", {"metadata": []}),
    ],
    ids=str,
)
def test_a_field_that_is_null_or_of_another_type_counts_as_absent(fields: Json, attribute: str, read: object) -> None:
    assert getattr(_parse(**fields), attribute) == read


def test_groups_and_extra_keep_only_texts() -> None:
    user = _parse(userInfo={"username": "alice", "groups": ["a", 1, None], "extra": {"k": ["v", 2], "n": None}}).user

    assert user.groups == ("a",)
    assert user.extra == {"k": ("v",), "n": ()}


@pytest.mark.parametrize(
    ("operation", "objects"),
    [
        ("DELETE", {"object": None, "oldObject": migration()}),
        ("CONNECT", {"object": None}),
        ("UPDATE", {"oldObject": migration()}),
    ],
)
def test_each_operation_has_the_objects_it_has(operation: str, objects: Json) -> None:
    assert _parse(operation=operation, **objects).operation == operation


# Not a review


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "the body is not JSON: Expecting value", id="empty"),
        pytest.param(b"{", "the body is not JSON", id="unfinished"),
        pytest.param(b"{} {}", "the body is not JSON: Extra data", id="two values"),
        pytest.param(b"kind: AdmissionReview", "the body is not JSON", id="YAML"),
        pytest.param(b"null", "the body is not an AdmissionReview", id="null"),
        pytest.param(b"[]", "the body is not an AdmissionReview", id="list"),
        pytest.param(b'"AdmissionReview"', "the body is not an AdmissionReview", id="text"),
        pytest.param(b"{}", "the body is not an AdmissionReview", id="empty object"),
        pytest.param(b'{"kind": ["AdmissionReview"]}', "the body is not an AdmissionReview", id="kind is a list"),
        pytest.param(b'{"kind": "SubjectAccessReview"}', "the body is not an AdmissionReview", id="another kind"),
        pytest.param(
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "request": {}}',
            "AdmissionReview of apiVersion 'admission.k8s.io/v1beta1' is not supported "
            "(set admissionReviewVersions: [v1] in the webhook configuration; only admission.k8s.io/v1 is understood)",
            id="v1beta1",
        ),
        pytest.param(
            b'{"kind": "AdmissionReview"}', "AdmissionReview of apiVersion '' is not supported", id="no version"
        ),
        pytest.param(
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
            "the AdmissionReview holds no request",
            id="no request",
        ),
        pytest.param(
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": {"uid": "x"}}',
            "the AdmissionReview holds no request",
            id="a response",
        ),
        pytest.param(
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": []}',
            "the AdmissionReview holds no request",
            id="request is a list",
        ),
        pytest.param(b'{"a": "\xff"}', "the body is not UTF-8: byte 7", id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "the body is not UTF-8: byte 0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", "the body is not JSON: Unexpected UTF-8 BOM", id="byte order mark"),
        pytest.param(b'{"a": "x\x00y"}', "the body is not JSON: Invalid control character", id="bare NUL"),
        pytest.param(b"\x1f\x8b\x08", "the body is not UTF-8", id="compressed"),
    ],
)
def test_what_is_no_review_is_refused_with_400(body: bytes, message: str) -> None:
    error = _error(body)

    assert str(error).startswith(message)
    assert error.status == 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"uid": None}, "request.uid is missing (without it no answer can be matched to the request)", id="no uid"
        ),
        pytest.param({"uid": ""}, "request.uid is missing", id="empty uid"),
        pytest.param({"uid": 7}, "request.uid is missing", id="uid is a number"),
        pytest.param(
            {"operation": "PATCH"},
            "request.operation is 'PATCH' (one of CREATE, UPDATE, DELETE, CONNECT)",
            id="operation",
        ),
        pytest.param({"operation": None}, "request.operation is ''", id="no operation"),
        pytest.param({"operation": "create"}, "request.operation is 'create'", id="operation in lower case"),
        pytest.param({"userInfo": None}, "request.userInfo.username is missing", id="no user"),
        pytest.param({"userInfo": {"username": ""}}, "request.userInfo.username is missing", id="user without name"),
        pytest.param({"kind": None}, "request.kind names no kind", id="no kind"),
        pytest.param({"kind": {"kind": 1}}, "request.kind names no kind", id="kind is a number"),
        pytest.param({"resource": {}}, "request.resource names no resource", id="no resource"),
        pytest.param(
            {"requestResource": {"group": "x"}}, "request.requestResource names no resource", id="requestResource"
        ),
        pytest.param({"object": None}, "request.object is missing or null on CREATE", id="object null on CREATE"),
        pytest.param(
            {"operation": "UPDATE", "object": None, "oldObject": {}},
            "request.object is missing or null on UPDATE",
            id="object null on UPDATE",
        ),
        pytest.param({"operation": "UPDATE"}, "request.oldObject is missing or null on UPDATE", id="no old object"),
        pytest.param({"operation": "DELETE"}, "request.oldObject is missing or null on DELETE", id="nothing deleted"),
        pytest.param({"object": "text"}, "request.object is not an object", id="object is a text"),
        pytest.param({"object": []}, "request.object is not an object", id="object is a list"),
        pytest.param({"oldObject": 1}, "request.oldObject is not an object", id="old object is a number"),
    ],
)
def test_a_request_that_cannot_be_judged_is_refused_with_what_is_wrong(fields: Json, message: str) -> None:
    error = _error(json.dumps(_review(**fields)).encode())

    assert str(error).startswith(message)
    assert error.status == 400


def _body(object_text: str) -> bytes:
    """A review whose object is written just so."""
    marker = "THE OBJECT"
    return json.dumps(_review(object=marker)).replace(json.dumps(marker), object_text).encode()


@pytest.mark.parametrize(
    ("object_text", "message"),
    [
        pytest.param('{"a": NaN}', "the body is not JSON: NaN is not a JSON number", id="NaN"),
        pytest.param('{"a": Infinity}', "the body is not JSON: Infinity is not a JSON number", id="Infinity"),
        pytest.param('{"a": -Infinity}', "the body is not JSON: -Infinity is not a JSON number", id="-Infinity"),
        pytest.param('{"a": 1e999}', "the number 1e999 is out of range", id="1e999"),
        pytest.param('{"a": -1e999}', "the number -1e999 is out of range", id="-1e999"),
        pytest.param('{"a": ' + "9" * 400 + "}", f"the number {'9' * 40} is out of range", id="400 digits"),
        pytest.param('{"a": ' + "9" * 5000 + "}", f"the number {'9' * 40} is out of range", id="5,000 digits"),
        pytest.param('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice in one object", id="key twice"),
        pytest.param(r'{"a": 1, "\u0061": 3}', "the key 'a' stands twice in one object", id="key twice, escaped"),
        pytest.param(r'{"a\u0000": 1, "a\ufffd": 3}', "the key 'a\ufffd' stands twice", id="key twice but for NUL"),
        pytest.param(r'{"a": "\ud800"}', "it holds half of a surrogate pair", id="half a surrogate pair"),
        pytest.param(
            r'{"a": "\uDC00\uD800"}', "it holds half of a surrogate pair", id="surrogates the wrong way round"
        ),
        pytest.param(r'{"\udfff": 1}', "it holds half of a surrogate pair", id="half a surrogate pair as a key"),
        pytest.param("{'a': 1}", "the body is not JSON", id="single quotes"),
        pytest.param('{"a": 1,}', "the body is not JSON", id="comma too many"),
        pytest.param("{1: 2}", "the body is not JSON", id="number as a key"),
        pytest.param('{"a": 01}', "the body is not JSON", id="leading zero"),
    ],
)
def test_what_is_no_strict_json_is_refused(object_text: str, message: str) -> None:
    error = _error(_body(object_text))

    assert message in str(error)
    assert error.status == 400


def test_the_api_version_alone_tells_reviews_apart_not_the_order_of_fields() -> None:
    assert parse(json.dumps(dict(reversed(_review().items()))).encode()).uid == "705ab4f5"


# Bounds


@pytest.mark.parametrize("opening", ['{"a":', "["])
@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_refused_whatever_the_depth(opening: str, depth: int) -> None:
    closing = {"[": "]", "{": "}"}[opening[0]]

    error = _error(_body('{"spec":' + opening * depth + "1" + closing * depth + "}"))

    assert str(error) == "the body is nested deeper than 128 levels"


@pytest.mark.parametrize(("levels", "good"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_the_bound_on_nesting_is_exact(levels: int, good: bool) -> None:
    body = b"[" * levels + b"]" * levels

    if good:
        assert decode(body)
    else:
        with pytest.raises(ReviewError, match="deeper than 128 levels"):
            decode(body)


def test_wide_is_not_deep() -> None:
    assert len(decode(b"[" + b"[]," * 1000 + b"{}]")) == 1001


def test_an_object_of_3_mb_is_read() -> None:
    request = _parse(object={**migration(), "data": "x" * 3_000_000})

    assert request.object is not None
    assert len(request.object["data"]) == 3_000_000


def test_a_body_that_is_too_large_is_refused_with_413_before_it_is_read() -> None:
    error = _error(b"x" * (MAX_BODY_BYTES + 1))

    assert (str(error), error.status) == ("the body is larger than 8 MiB", 413)
    assert _error(b"x" * MAX_BODY_BYTES).status == 400


def test_a_body_made_to_be_slow_is_refused_quickly() -> None:
    keys = ",".join(f'"k{number}":0' for number in range(300_000))
    started = time.perf_counter()

    error = _error(("{" + keys + ',"last":1,"last":2}').encode())

    assert "the key 'last' stands twice" in str(error)
    assert time.perf_counter() - started < 20


# What Kubernetes tolerates and the CEL runtime does not


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", 9.223372036854775808e18),
        ("-9223372036854775809", -9.223372036854775808e18),
        ("100000000000000000000", 1e20),
        ("1e400".replace("400", "300"), 1e300),
        ("1.0", 1.0),
        ("-0", 0),
    ],
)
def test_integers_that_64_bit_cannot_hold_are_floats_as_in_the_api_server(written: str, read: float) -> None:
    value = decode(f"[{written}]".encode())[0]

    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'"safe\u0000evil"', "safe\ufffdevil"),
        (r'{"key\u0000": ["\u0000"]}', {"key\ufffd": ["\ufffd"]}),
        (r'"\\u0000"', r"\u0000"),
    ],
    ids=["text", "everywhere", "only looks like it"],
)
def test_a_nul_cannot_make_one_text_pass_for_another(written: str, read: object) -> None:
    """The CEL runtime cuts texts at a NUL: ``safe`` would be seen."""
    assert decode(written.encode()) == read


def test_other_texts_are_read_as_they_are() -> None:
    odd = "\u202e \x7f é 😀 \uffff \u2028"

    assert decode(json.dumps(odd).encode()) == decode(json.dumps(odd, ensure_ascii=False).encode()) == odd


# Any bytes


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_requests = st.fixed_dictionaries(
    {}, optional={key: _json | st.just(REQUEST[key]) for key in REQUEST} | {"oldObject": _json, "userInfo": _json}
)
_reviews = st.builds(
    lambda request, rest: {**_review(), "request": request, **rest},
    _json | _requests.map(lambda fields: {**REQUEST, **fields}),
    st.dictionaries(st.sampled_from(["kind", "apiVersion", "other"]), _json, max_size=1),
)


def _request_or_none(body: bytes) -> AdmissionRequest | None:
    try:
        return parse(body)
    except ReviewError as error:
        assert error.status in {400, 413}  # noqa: PT017 - both outcomes are right, each in its own way
        assert error.message  # noqa: PT017
        return None


@given(st.binary() | st.text().map(str.encode))
@example(b"\xed\xa0\x80")
@example(b'"\\ud800"')
@example(b"1e99999")
@example(b"-")
def test_any_bytes_give_a_request_or_a_review_error(body: bytes) -> None:
    assert _request_or_none(body) is None, "no random bytes are a review"


@given(_reviews)
def test_any_json_gives_a_request_or_a_review_error(review: Json) -> None:
    body = json.dumps(review).encode()
    request = _request_or_none(body)

    if request is not None:
        answer = json.loads(render(Decision(id="d", uid=request.uid, allowed=True)))
        assert answer["response"]["uid"] == review["request"]["uid"].replace("\0", "\ufffd")


# Answers

ALLOWED = Decision(id="d-1", uid="705ab4f5", allowed=True)
REFUSED = Decision(
    id="d-1", uid="705ab4f5", allowed=False, code=403, reason="Forbidden", message="no\nNext step: ask (decision d-1)"
)


def _answer(decision: Decision) -> Json:
    made: Json = json.loads(render(decision))
    assert made["apiVersion"] == "admission.k8s.io/v1"
    assert made["kind"] == "AdmissionReview"
    assert set(made) == {"apiVersion", "kind", "response"}
    response: Json = made["response"]
    return response


def test_an_allowed_request_gets_just_that() -> None:
    assert _answer(ALLOWED) == {"uid": "705ab4f5", "allowed": True}


def test_a_refusal_gets_a_status() -> None:
    assert _answer(REFUSED) == {
        "uid": "705ab4f5",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": "no\nNext step: ask (decision d-1)",
        },
    }


def test_a_patch_is_base64_of_a_json_patch() -> None:
    operation = {"op": "add", "path": "/spec/é", "value": [1, None, "ü"]}
    response = _answer(replace(ALLOWED, patch=(operation,)))

    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"], validate=True)) == [operation]


def test_warnings_and_audit_annotations_go_along() -> None:
    response = _answer(replace(REFUSED, warnings=("a", "b"), audit_annotations={"decision-id": "d-1"}))

    assert response["warnings"] == ["a", "b"]
    assert response["auditAnnotations"] == {"decision-id": "d-1"}


def test_nothing_that_people_read_holds_control_characters() -> None:
    odd = "VM \x1b[31mred\x00\r\x7f\x9b end"
    response = _answer(replace(REFUSED, message=f"first\n{odd}", warnings=(f"first\nand\t{odd}",)))

    assert response["status"]["message"] == "first\nVM \ufffd[31mred\ufffd\ufffd\ufffd\ufffd end"
    assert response["warnings"] == ["first and VM \ufffd[31mred\ufffd \ufffd\ufffd end"]
