"""The budget that all retries of a client share: in an outage traffic must not multiply. It counts; it neither sends nor waits.

A retry takes 1, a success puts back 0.1, up to the capacity. When nothing is left, a failure is final at once. A first attempt is
never refused, and an attempt that the API itself asked for (after 429, or after 401 with a new token) takes nothing.
"""

from __future__ import annotations

from typing import Final

CAPACITY: Final = 200.0
REFUND: Final = 0.1


class RetryBudget:
    """Shared by every request of one client."""

    def __init__(self, capacity: float = CAPACITY) -> None:
        self._capacity = capacity
        self.left = capacity

    def take(self) -> bool:
        """Whether one more retry is affordable; takes it."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def succeeded(self) -> None:
        """A request went well."""
        self.left = min(self._capacity, self.left + REFUND)
