"""The trigger: each request starts at most one run, and no id is guessed. Names for the rest of the package; no logic."""

from maia_async.orchestration.trigger.call import Call as Call
from maia_async.orchestration.trigger.call import LaneHeld as LaneHeld
from maia_async.orchestration.trigger.call import Withdrawn as Withdrawn
from maia_async.orchestration.trigger.desk import FRESH as FRESH
from maia_async.orchestration.trigger.desk import TriggerDesk as TriggerDesk
from maia_async.orchestration.trigger.lanes import LaneKey as LaneKey
from maia_async.orchestration.trigger.lanes import Sent as Sent
from maia_async.orchestration.trigger.lanes import key_of as key_of
from maia_async.orchestration.trigger.resolver import Patience as Patience
