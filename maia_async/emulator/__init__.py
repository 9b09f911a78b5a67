"""A faithful Maia on loopback for tests, demos and people without an account; it stands beside the client and shares only its values."""

from maia_async.emulator.clock import Clock, ClockReading
from maia_async.emulator.control import Control, ServerRun
from maia_async.emulator.faultcontrol import FaultInForce
from maia_async.emulator.faults import Fault
from maia_async.emulator.listfaults import ListFaults
from maia_async.emulator.outage import Outage
from maia_async.emulator.readings import Readings
from maia_async.emulator.scenario import Credential, Crowd, Environment, Outcome, Pipeline, Project, Scenario, Step
from maia_async.emulator.server import Emulator
from maia_async.emulator.skew import Skew
from maia_async.emulator.streamcontrol import ServerStream, StreamChange
from maia_async.emulator.streamscript import StreamScript

__all__ = [
    "Clock",
    "ClockReading",
    "Control",
    "Credential",
    "Crowd",
    "Emulator",
    "Environment",
    "Fault",
    "FaultInForce",
    "ListFaults",
    "Outage",
    "Outcome",
    "Pipeline",
    "Project",
    "Readings",
    "Scenario",
    "ServerRun",
    "ServerStream",
    "Skew",
    "Step",
    "StreamChange",
    "StreamScript",
]
