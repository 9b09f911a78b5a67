"""What is tried under each fault: one small use of the client each, the request that a fault is aimed at, and what it must show.

An operation returns facts about what came out; what it must always show, it asserts itself.
"""

from __future__ import annotations

from faults import operations_runs, operations_streams
from faults.registry import OPERATIONS, Operation

__all__ = ["OPERATIONS", "Operation", "operations_runs", "operations_streams"]
