"""Stands in for HCO's conversion webhook: the migration configuration moves between HyperConverged v1beta1 and v1.

Source: HCO ``api/v1beta1/conversion.go``. v1 has ``spec.liveMigrationConfig`` under ``spec.virtualization``.
"""

from __future__ import annotations

import base64
import copy
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.controlplane import ControlPlane

_CRD = "hyperconvergeds.hco.kubevirt.io"
_FIELD = "liveMigrationConfig"


def convert(source: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """Return the HyperConverged in the other version; the same if it is in that version already."""
    converted = copy.deepcopy(dict(source))
    if converted["apiVersion"] == api_version:
        return converted
    converted["apiVersion"] = api_version
    spec = converted.setdefault("spec", {})
    nested = spec.setdefault("virtualization", {})
    if api_version.endswith("/v1"):
        giver, taker = spec, nested
    else:
        giver, taker = nested, spec
    if _FIELD in giver:
        taker[_FIELD] = giver.pop(_FIELD)
    if not nested:
        del spec["virtualization"]
    return converted


class _Conversion(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        objects = [convert(each, request["desiredAPIVersion"]) for each in request["objects"]]
        review["response"] = {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        del review["request"]
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing: a failed conversion shows in the API server's answer."""


@contextmanager
def conversion_webhook(plane: ControlPlane) -> Iterator[None]:
    """Serve conversions of HyperConverged while the block runs; the CRD must be installed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*plane.authority.serving(plane.folder, "conversion"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Conversion)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, name="hco-conversion", daemon=True).start()
    client = {
        "url": f"https://127.0.0.1:{server.server_address[1]}/convert",
        "caBundle": base64.b64encode(plane.authority.pem).decode(),
    }
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}
    plane.kubectl.must("patch", "crd", _CRD, "--type=merge", "-p", json.dumps({"spec": {"conversion": conversion}}))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
