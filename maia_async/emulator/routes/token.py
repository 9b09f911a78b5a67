"""The token endpoint: client credentials as a form; a function of values, no I/O.

    | request                                       | answer                                                       |
    | --------------------------------------------- | ------------------------------------------------------------ |
    | not form-encoded, or another grant            | 400 `{error, error_description}`                             |
    | unknown client, or wrong secret               | 401 `{error: access_denied, error_description: Unauthorized}` |
    | otherwise                                     | 200 with the token; `audience` is optional and not checked   |

Error bodies of the real endpoint are not known; these are those of the identity provider whose paths it has.
"""

from __future__ import annotations

from typing import Any

from maia_async.emulator.exchange import Call, Reply, parsed_form, shaped
from maia_async.emulator.scenario import Credential
from maia_async.emulator.service import Service


def issue(service: Service, call: Call) -> tuple[Reply, dict[str, Any]]:
    """The reply, and what may be logged of the request."""
    form = parsed_form(call.content_type, call.body)
    if form is None:
        return _refused(400, "invalid_request", "the body must be application/x-www-form-urlencoded"), {}
    logged: dict[str, Any] = {name: form[name] for name in ("grant_type", "client_id", "audience") if name in form}
    if form.get("grant_type") != "client_credentials":
        return _refused(400, "unsupported_grant_type", "grant_type must be client_credentials"), logged
    client = service.tokens.client(form.get("client_id", ""), form.get("client_secret", ""))
    if client is None:
        return _refused(401, "access_denied", "Unauthorized"), logged
    answer = {
        "access_token": service.tokens.issue(client, call.now),
        "scope": "pipeline-execution",
        "expires_in": _real_seconds(service.tokens.lifetime, service.speed),
        "token_type": "Bearer",
    }
    return Reply(200, shaped(answer, service.readings), headers={"Cache-Control": "no-store"}), logged


def client_of(service: Service, content_type: str, body: bytes) -> Credential | None:
    """Who asks for a token, when the secret fits: the request counts on that account."""
    form = parsed_form(content_type, body) or {}
    return service.tokens.client(form.get("client_id", ""), form.get("client_secret", ""))


def _refused(status: int, error: str, description: str) -> Reply:
    return Reply(status, {"error": error, "error_description": description})


def _real_seconds(seconds: float, speed: float) -> float:
    """Rounded down, so that nobody trusts a token for too long; a decimal only when less than a second is left."""
    real = seconds / speed
    return int(real) if real >= 1 else round(real, 3)
