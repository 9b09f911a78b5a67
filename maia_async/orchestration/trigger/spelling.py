"""How a name in the list of executions relates to the one that was asked for: pure. A doubtful spelling is never taken for ours.

The documentation prints display names, callers see file paths with an extension (API survey 2.1); whether a list repeats the spelling
that was sent is stated nowhere. The API's own filter compares parts in any letter case. So a name that is not the same may still be ours:

    asked for       listed                    relation
    load            load                      SAME
    load            in the learned spellings  SAME             shown before by a run whose id we know
    load            Load                      OTHER_SPELLING   the letter case
    load            load.orch.yaml            OTHER_SPELLING   the extension, missing on one side
    load            daily/load.orch.yaml      OTHER_SPELLING   the folders, missing on one side
    a/load          b/load                    OTHER            two folders: two pipelines
    load.orch.yaml  load.tran.yaml            OTHER            two kinds: two pipelines
    load            (none)                    OTHER_SPELLING   a row that does not say may be ours
    load            reload                    OTHER            the API's filter takes it, we do not

Equal last segments alone were rejected as a sign of another spelling: projects have a `load` in every folder, and each would be doubted
for the others' sake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from enum import Enum
from typing import Final

_EXTENSION: Final = re.compile(r"(\.(orch|tran))?\.ya?ml$|\.(orch|tran)$")


class Spelling(Enum):
    """What a listed name is to the one that was asked for."""

    SAME = "the same name"
    OTHER_SPELLING = "perhaps the same pipeline, spelled otherwise"
    OTHER = "another pipeline"


def spelling_of(listed: str | None, asked: str, learned: Collection[str] = ()) -> Spelling:
    """The relation, as the table of this module says."""
    if listed == asked or listed in learned:
        return Spelling.SAME
    if not listed:
        return Spelling.OTHER_SPELLING
    theirs, their_kind = _parts(listed)
    ours, our_kind = _parts(asked)
    if their_kind and our_kind and their_kind != our_kind:
        return Spelling.OTHER
    shared = min(len(theirs), len(ours))
    return Spelling.OTHER_SPELLING if theirs[-shared:] == ours[-shared:] else Spelling.OTHER


def place_of(listed: str | None, asked: str) -> Spelling:
    """The same for the name of an environment, which has neither folders nor an extension. One that names none counts as the same."""
    if listed is None or listed == asked:
        return Spelling.SAME
    return Spelling.OTHER_SPELLING if _plain(listed) == _plain(asked) else Spelling.OTHER


def _parts(name: str) -> tuple[list[str], str]:
    """Its path without the extension, and the kind that the extension names ("" when it names none)."""
    whole = _plain(name)
    found = _EXTENSION.search(whole)
    kind = "" if found is None else found[2] or found[3] or ""
    stem = whole if found is None else whole[: found.start()]
    segments = [part for part in map(str.strip, re.split(r"[/\\]", stem)) if part not in {"", "."}]
    return segments or [whole], kind


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()
