"""What is kept for which purpose, and for how long: the table that the privacy page shows.

Whatever deletes reads its period here, so that the page and the deed cannot differ. Of answers,
needs, attendance, deputies and members nothing is deleted yet.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose; its texts have the ids `retention.<name>.purpose`, `.data`, `.period`."""

    name: str
    period: timedelta


ANSWERS = Purpose("answers", timedelta(days=90))
NEEDS = Purpose("needs", timedelta(days=14))
ATTENDANCE = Purpose("attendance", timedelta(days=730))
DEPUTIES = Purpose("deputies", timedelta(days=90))
MEMBERS = Purpose("members", timedelta(days=182))
LETTERS = Purpose("letters", timedelta(days=30))
LETTER_PROOF = Purpose("letter_proof", timedelta(days=90))
AUDIT = Purpose("audit", timedelta(days=365))
FEEDS = Purpose("feeds", timedelta(days=90))
ANSWER_LINK = Purpose("answer_link", timedelta(days=30))
SIGN_IN = Purpose("sign_in", timedelta(hours=12))
HINTS = Purpose("hints", timedelta(days=90))

PURPOSES = (
    ANSWERS,
    NEEDS,
    ATTENDANCE,
    DEPUTIES,
    MEMBERS,
    LETTERS,
    LETTER_PROOF,
    AUDIT,
    FEEDS,
    ANSWER_LINK,
    SIGN_IN,
    HINTS,
)
