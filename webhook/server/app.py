"""The Flask application: two routes, and a JSON answer that helps for everything else."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from webhook.admission.review import MAX_BODY_BYTES
from webhook.errors import ReviewError
from webhook.model.facts import Deadline
from webhook.model.request import Phase
from webhook.server.endpoints import Service, allowance, answer

_EXISTS = "POST an AdmissionReview (admission.k8s.io/v1, application/json) to /validate or /mutate"


def create_app(service: Service) -> Flask:
    """Make the application around what decides."""
    app = Flask("migguard", static_folder=None)
    # One more, as a body without a length is cut there, not refused: that it is too large must show.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    # No redirects and no answers of Flask's own: exactly these two paths exist.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    for phase in Phase:
        app.add_url_rule(
            f"/{phase.value}",
            endpoint=phase.value,
            view_func=_endpoint(service, phase),
            methods=["POST"],
            provide_automatic_options=False,
        )

    @app.before_request
    def check_path() -> None:
        # Routing takes any number of slashes at the beginning for one.
        if request.environ.get("PATH_INFO", "").startswith("//"):
            raise NotFound

    @app.errorhandler(ReviewError)
    def review_error(error: ReviewError) -> Response:
        return _refusal(service, error.status, error.message, error.hint)

    @app.errorhandler(ParseException)
    def broken_body(error: ParseException) -> Response:
        return _refusal(service, HTTPStatus.BAD_REQUEST, f"the body cannot be read: {error}", "send it whole")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        refusal = _refusal(service, status, *_explain(error))
        if isinstance(error, MethodNotAllowed):
            refusal.headers["Allow"] = "POST"
        return refusal

    return app


def _endpoint(service: Service, phase: Phase) -> Callable[[], Response]:
    def endpoint() -> Response:
        deadline = Deadline.after(allowance(request.args.get("timeout", ""), service.max_time))
        _check_content_type()
        rendered = answer(service, phase, request.get_data(cache=False), deadline)
        return Response(rendered, mimetype="application/json")

    return endpoint


def _check_content_type() -> None:
    """Raise ReviewError unless the body is plain JSON."""
    if request.mimetype != "application/json":
        raise ReviewError(
            f"the content type is '{request.mimetype or 'none'}', not application/json",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            hint="send the header Content-Type: application/json",
        )
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise ReviewError(
            f"the content encoding '{encoding}' is not supported",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            hint="send the body as it is",
        )


def _explain(error: HTTPException) -> tuple[str, str]:
    """What is wrong and what to do."""
    if isinstance(error, NotFound):
        return f"there is nothing at {request.environ.get('PATH_INFO', '')}", _EXISTS
    if isinstance(error, MethodNotAllowed):
        return f"{request.path} does not take {request.method}", _EXISTS
    if isinstance(error, RequestEntityTooLarge):
        limit = f"{MAX_BODY_BYTES // 1024} KiB"
        return f"the body is larger than {limit}", "the kube-apiserver sends about 3 MiB at most"
    return (error.description or error.name), _EXISTS


def _refusal(service: Service, status: int, message: str, hint: str) -> Response:
    service.metrics.refused(status)
    response = jsonify({"error": message, "hint": hint})
    response.status_code = status
    return response
