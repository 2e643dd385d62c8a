"""Find the people whom a session asks by their address; who is not known yet becomes a guest."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from service import addressing, auditing, keeping_people
from service.auditing import Actor
from service.domain import guests, matching
from service.domain.guests import Guest
from service.keeping_people import PersonData

_KNOWN = """
SELECT id, full_name, email_normal, ended_on FROM person
WHERE email_normal = ANY ($1::text[]) AND anonymised_at IS NULL
ORDER BY ended_on IS NOT NULL, sort_key, id
"""


async def welcome(connection: "Connection[Any]", actor: Actor, text: str) -> frozenset[UUID]:
    """Return the people of the lines; those whom nobody knows are added by name and address.

    The address says who is meant, and beside two names the family name does. Raises `FieldsError`
    that names the line where that is not enough, or where somebody has left.
    """
    named = guests.read(text, addressing.read_address)
    wanted = [addressing.normal(each.email) for each in named]
    known: dict[str, list[Record]] = defaultdict(list)
    for row in await connection.fetch(_KNOWN, wanted):
        known[row["email_normal"]].append(row)
    found = {each: _find(each, known[addressing.normal(each.email)]) for each in named}
    new = [
        PersonData(id=uuid4(), name=each.name or each.email, email=each.email)
        for each, person_id in found.items()
        if person_id is None
    ]
    await keeping_people.add_people(connection, new)
    for person in new:
        await auditing.record(connection, actor, "added", "person", person.id, guest=True)
    return frozenset((*filter(None, found.values()), *(person.id for person in new)))


def _find(guest: Guest, people: Sequence[Record]) -> UUID | None:
    """Return who is meant, None for somebody new; a shared mailbox needs the name."""
    if guest.name:
        family = matching.family_key(guest.name)
        people = [one for one in people if matching.family_key(one["full_name"]) == family]
    present = [one for one in people if one["ended_on"] is None]
    if len(present) > 1:
        names = ", ".join(one["full_name"] for one in present)
        raise guests.refusal("plan.err_extra_shared", guest.line, names=names)
    if people and not present:
        name = people[0]["full_name"]
        raise guests.refusal("plan.err_extra_ended", guest.line, name=name)
    return present[0]["id"] if present else None
