"""The closed vocabularies of the tables; their values are what the database holds."""

from enum import StrEnum


class Heading(StrEnum):
    """The three headings of the public list."""

    ALLIANCE = "alliance"
    GROUPS = "groups"
    OTHER = "other"


class State(StrEnum):
    """Where a meeting stands."""

    DRAFT = "draft"
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    POSTPONED = "postponed"
    HELD = "held"
    CANCELLED = "cancelled"


class Precision(StrEnum):
    """How exactly a meeting's date is known; anything but TIME is for tentative meetings."""

    TIME = "time"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Mode(StrEnum):
    """How people take part."""

    ON_SITE = "on_site"
    ONLINE = "online"
    HYBRID = "hybrid"


class Visibility(StrEnum):
    """Who can see a published meeting's page."""

    PUBLIC = "public"
    LINK = "link"
    INTERNAL = "internal"


class Answer(StrEnum):
    """What an invited person said; "no answer" is the absence of one, and computed."""

    IN_PERSON = "in_person"
    ONLINE = "online"
    REPRESENTED = "represented"
    DECLINED = "declined"
    UNDECIDED = "undecided"


class Way(StrEnum):
    """How an answer reached us."""

    LINK = "link"
    CALENDAR = "calendar"
    MAIL = "mail"
    PHONE = "phone"
    POST = "post"
    DEPUTY = "deputy"


class NoticeKind(StrEnum):
    """What a notice to invited people is about."""

    INVITATION = "invitation"
    CONFIRMED = "confirmed"
    CHANGE = "change"
    POSTPONED = "postponed"
    CANCELLATION = "cancellation"
    UNCANCELLATION = "uncancellation"
    UNINVITED = "uninvited"
    NUDGE = "nudge"


class Audience(StrEnum):
    """Whom of its groups a meeting asks; guests by address come beside."""

    GROUP = "group"
    CHOSEN = "chosen"


class Verdict(StrEnum):
    """What the office says of the answers when it changes a meeting."""

    KEEP = "keep"
    ASK = "ask"


class Role(StrEnum):
    """What an account may do: coordinators all, leads their groups, readers look."""

    COORDINATOR = "coordinator"
    LEAD = "lead"
    READER = "reader"
    ADMIN = "admin"
