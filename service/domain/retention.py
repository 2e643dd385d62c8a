"""What is kept for which purpose, and for how long: the table that the privacy page shows.

Whatever deletes reads its period here, so that the page and the deed cannot differ; a test lets
the time of each row pass. What nothing deletes by itself has no period, and the page says so.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose; its texts have the ids `retention.<name>.purpose`, `.data`, `.period`."""

    name: str
    period: timedelta


@dataclass(frozen=True, slots=True)
class Lasting:
    """A purpose whose data end by somebody's hand only; its texts have the same ids."""

    name: str


# A person's own calendar shows a session, and what they said, to the edge of a month six months
# back; forgotten before, it would leave that calendar or come back to it.
ANSWERS = Purpose("answers", timedelta(days=240))
NOTES = Purpose("notes", timedelta(days=90))
HISTORY = Purpose("history", timedelta(days=90))
DEPUTIES = Purpose("deputies", timedelta(days=90))
NEEDS = Purpose("needs", timedelta(days=14))
CALENDAR_ANSWERS = Purpose("calendar_answers", timedelta(days=30))
WORDS = Purpose("words", timedelta(days=30))
AUTO_REPLIES = Purpose("auto_replies", timedelta(days=14))
INVITATIONS = Lasting("invitations")
MEMBERS = Lasting("members")
LETTERS = Purpose("letters", timedelta(days=30))
LETTER_PROOF = Purpose("letter_proof", timedelta(days=90))
AUDIT = Purpose("audit", timedelta(days=365))
FEEDS = Purpose("feeds", timedelta(days=90))
ANSWER_LINK = Purpose("answer_link", timedelta(days=30))
SIGN_IN = Purpose("sign_in", timedelta(hours=12))
TRIES = Purpose("tries", timedelta(days=2))
HINTS = Purpose("hints", timedelta(days=30))
BACKUPS = Lasting("backups")

PURPOSES: tuple[Purpose | Lasting, ...] = (
    ANSWERS,
    NOTES,
    HISTORY,
    DEPUTIES,
    NEEDS,
    CALENDAR_ANSWERS,
    WORDS,
    AUTO_REPLIES,
    INVITATIONS,
    MEMBERS,
    LETTERS,
    LETTER_PROOF,
    AUDIT,
    FEEDS,
    ANSWER_LINK,
    SIGN_IN,
    TRIES,
    HINTS,
    BACKUPS,
)
