"""Mail that came back, in the demo's database: one of each kind that a page shows."""

from uuid import UUID

from service.database import Database

_ADDRESSES = """
INSERT INTO address_state (address_normal, state, last_status, last_bounce_at)
SELECT email_normal, (ARRAY['undeliverable', 'soft', 'blocked'])[n],
    (ARRAY['5.1.1', '4.2.2', ''])[n], now()
FROM (SELECT email_normal, row_number() OVER (ORDER BY sort_key) AS n FROM person
    WHERE email_normal IS NOT NULL AND ended_on IS NULL) AS p
WHERE n <= 3
UNION ALL SELECT lower(email), 'undeliverable', '5.1.1', now() FROM instance
ON CONFLICT DO NOTHING
"""
_EVENT = """
INSERT INTO mail_event (raw_sha256, kind, letter_id, details) VALUES (sha256($1::bytea), $2, $3, $4)
"""
_WORDS = "Guten Tag,\nich komme gern, brauche aber einen Parkplatz.\nErika Muster"
_EVENTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("auto_reply", {"sort": "away", "back_on": "2026-12-07"}),
    ("auto_reply", {"sort": "moved"}),
    ("words", {"sender": "erika@town.example", "subject": "AW: Einladung", "words": _WORDS}),
    (
        "bounce",
        {
            "status": "5.2.2",
            "recipient": "a.rather.long.address.of.somebody@department.town.example",
            "diagnostic": "smtp; 552 5.2.2 <erika@town.example> mailbox_is_full_" + "x" * 60,
        },
    ),
)


_ANSWER = """
INSERT INTO calendar_answer (message_sha256, part_sha256, received_at, outcome, needs_look, trust,
    invitation_id, meeting_id, attendee, sender, partstat, comment, details)
SELECT sha256($1::bytea), $1, now(), $2, true, 4, i.id, i.meeting_id, 'erika@town.example',
    'a.rather.long.address.of.somebody@department.town.example', 'ACCEPTED', $3, $4
FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE m.state = 'confirmed' AND i.state = 'invited' ORDER BY i.id LIMIT 1
"""
_ANSWERS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("unconfirmed", "Ich komme eine halbe Stunde später.", {}),
    ("counter", "", {"starts": "20270305T140000", "ends": "20270305T160000",
        "zone": "W. Europe Standard Time", "location": "Rathaus, Saal 2", "old_version": "yes"}),
    ("odd", "", {"oddity": "no_attendee"}),
)  # fmt: skip


async def seed(database: Database, letter_id: UUID) -> None:
    """Let three addresses fail, and let each kind come back to a letter and to none."""
    await database.fetch(_ADDRESSES)
    for about in (letter_id, None):
        for number, (kind, details) in enumerate(_EVENTS):
            await database.fetch(_EVENT, f"{about}:{number}".encode(), kind, about, details)
    for outcome, comment, more in _ANSWERS:
        await database.fetch(_ANSWER, outcome.encode(), outcome, comment, more)
