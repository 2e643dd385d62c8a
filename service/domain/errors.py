"""What can go wrong in the domain; the class docstring is the message for the log.

The pages show the sentence with the same text id (`error.<code>`) in the reader's language;
`service.web.errors` maps each class to a status, and a test fails when one has none.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """Something that was asked for is against the rules."""

    code: ClassVar[str] = "domain"

    def __init__(self, **values: Any) -> None:
        self.values = values
        super().__init__(self.__doc__)


class NotFoundError(DomainError):
    """There is nothing at this address."""

    code = "not_found"


class StaleFormError(DomainError):
    """Somebody else saved this entry meanwhile."""

    code = "stale"


class IllegalMoveError(DomainError):
    """A meeting in this state cannot go there."""

    code = "illegal_move"


class FieldsError(DomainError):
    """Some of the entries need another look.

    `fields` maps a form field's name to the text id of its message and the values it needs.
    """

    code = "fields"

    def __init__(self, fields: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        super().__init__()
        self.fields = dict(fields)


class LinkUnknownError(DomainError):
    """This link is not known to us."""

    code = "link_unknown"


class LinkReplacedError(DomainError):
    """A newer link has taken this one's place."""

    code = "link_replaced"


class LinkExpiredError(DomainError):
    """This link is past its time."""

    code = "link_expired"


class LinkUsedError(DomainError):
    """This link works once and was used."""

    code = "link_used"


class AnsweringClosedError(DomainError):
    """The meeting takes no more answers."""

    code = "answering_closed"


class SeatsTakenError(DomainError):
    """The last seat was just taken."""

    code = "seats_taken"


class PartnerSeatsTakenError(SeatsTakenError):
    """All seats of this partner are taken."""

    code = "partner_seats_taken"


class MeetingChangedError(DomainError):
    """The meeting changed while the page was open."""

    code = "meeting_changed"


class TooManyTriesError(DomainError):
    """Too many tries in too short a time."""

    code = "too_many"


class NotAllowedError(DomainError):
    """This account may not do that."""

    code = "not_allowed"


class NotReadyError(DomainError):
    """The instance is still being set up."""

    code = "not_ready"


class CodeWrongError(DomainError):
    """The typed code is not the one that was sent; `left` tries remain."""

    code = "code_wrong"
