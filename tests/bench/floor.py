"""The floor: the very same server, with the answer made before the question is read."""

from __future__ import annotations

import json
from unittest import mock

from webhook.cli.main import main

ANSWER = json.dumps(
    {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "floor", "allowed": True}}
).encode()


if __name__ == "__main__":
    with mock.patch("webhook.server.app.answer", return_value=ANSWER):  # the one thing that differs from the product
        main()
