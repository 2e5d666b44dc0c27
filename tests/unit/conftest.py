"""Settings of property tests: enough examples to find what a table forgot, few enough to keep the inner loop fast."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("unit", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
