"""A batch's journal: what is asked, started and ended, durable before anybody acts on it. Public names only; no logic."""

from maia_async.orchestration.journal.journal import Journal as Journal
from maia_async.orchestration.journal.rows import Resume as Resume
from maia_async.orchestration.journal.rows import Row as Row
from maia_async.orchestration.journal.schema import Meta as Meta
from maia_async.orchestration.journal.summary import JournalEntry as JournalEntry
from maia_async.orchestration.journal.summary import JournalSummary as JournalSummary
from maia_async.orchestration.journal.summary import journal_summary as journal_summary
from maia_async.orchestration.journal.writes import Asked as Asked
from maia_async.orchestration.journal.writes import Ended as Ended
from maia_async.orchestration.journal.writes import InputEnded as InputEnded
from maia_async.orchestration.journal.writes import Intent as Intent
from maia_async.orchestration.journal.writes import Plan as Plan
from maia_async.orchestration.journal.writes import Started as Started
from maia_async.orchestration.journal.writes import Write as Write
