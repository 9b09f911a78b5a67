"""Access tokens: issued for a client id and its secret, good until they expire or are revoked; pure, `now` is handed in.

A new token does not end the older ones. Tokens are made of a seeded stream: they open nothing but this emulator.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Final

from maia_async.emulator.dice import dice
from maia_async.emulator.scenario import Credential, Scenario

_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")


class Tokens:
    """Every token that is good now. `skew`: seconds by which the clock that checks them is ahead of the one that issues them."""

    def __init__(self, scenario: Scenario) -> None:
        self.lifetime = scenario.token_lifetime
        self.issued = 0
        self.skew = scenario.skew.expiry
        self._clients = {item.client_id: item for item in scenario.credentials}
        self._static = {token: self._clients[client] for token, client in scenario.tokens.items()}
        self._good: dict[str, tuple[Credential, float]] = {}
        self._ends: deque[tuple[float, str]] = deque()
        self._dice = dice(scenario.seed, "tokens")

    def client(self, client_id: str, client_secret: str) -> Credential | None:
        """The credentials, when the secret fits."""
        known = self._clients.get(client_id)
        return known if known is not None and known.client_secret == client_secret else None

    def issue(self, client: Credential, now: float) -> str:
        """A new token, unlike any other and shaped like a JWT."""
        while self._ends and self._ends[0][0] <= now + self.skew:
            self._good.pop(self._ends.popleft()[1], None)
        self.issued += 1
        claims = json.dumps({"sub": client.client_id, "jti": self.issued, "exp": int(now + self.lifetime)})
        middle = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
        token = f"{_HEADER}.{middle}.{self._dice.getrandbits(256):064x}"
        self._good[token] = (client, now + self.lifetime)
        self._ends.append((now + self.lifetime, token))
        return token

    def check(self, token: str, now: float) -> Credential | None:
        """Whose token it is, or None when it is unknown, expired or revoked."""
        good = self._good.get(token)
        if good is not None:
            return good[0] if now + self.skew < good[1] else None
        return self._static.get(token)

    def add_static(self, token: str, client_id: str) -> None:
        """A token that never expires; it can be revoked."""
        self._static[token] = self._clients[client_id]

    def revoke(self) -> int:
        """Make every token bad at once; how many there were."""
        count = len(self._good) + len(self._static)
        self._good.clear()
        self._ends.clear()
        self._static.clear()
        return count
