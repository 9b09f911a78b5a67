"""The OpenAPI file, read and checked once for all tests that hold something against it: that takes a second each time."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

from openapi_core import Config, OpenAPI

SPEC: Final = Path(__file__).parent / "maia-openapi.yaml"


@cache
def openapi() -> OpenAPI:
    """It, as openapi-core validates with it."""
    # openapi-core knows application/json by itself and not the media type of RFC 9457.
    config = Config(extra_media_type_deserializers={"application/problem+json": json.loads})
    return OpenAPI.from_file_path(str(SPEC), config)
