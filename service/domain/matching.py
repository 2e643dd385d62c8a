"""Who of a list is who in the book: by id, by address and family name, never by a guess alone.

A row takes the surest match there is; a person is taken once. The orders of sureness are: the
list's own id, address with the whole name, address with the family name, a former address with
the family name. Name with partner is only a guess, and somebody is asked.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from service.domain import titles
from service.domain.imports import FieldChange

Groups = Mapping[UUID, str]
"""The groups' names by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPerson:
    """One row of a list of members; an empty value says nothing, so it changes nothing."""

    number: int
    name: str
    ref: str = ""
    email: str = ""
    partner: str = ""
    role_title: str = ""
    phone: str = ""
    locale: str = ""
    groups: frozenset[UUID] = frozenset()

    @property
    def email_normal(self) -> str:
        """Return the address as it is compared."""
        return self.email.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """A person as the database has it; `former` are normal forms of former addresses."""

    id: UUID
    name: str
    ref: str = ""
    email: str = ""
    former: frozenset[str] = frozenset()
    partner: str = ""
    role_title: str = ""
    phone: str = ""
    locale: str = "de"
    groups: frozenset[UUID] = frozenset()
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """The person that a row means, for certain or as a guess."""

    person: KnownPerson
    is_certain: bool


def family_key(name: str) -> str:
    """Return the key of the family name: the last word before a comma, as names are sorted."""
    words = titles.sort_key(name.partition(",")[0]).split()
    return words[-1] if words else ""


def partner_key(name: str) -> str:
    """Return the form that two spellings of a partner's name share, whatever case and blanks."""
    return " ".join(name.casefold().split())


def match(rows: Sequence[ListedPerson], known: Sequence[KnownPerson]) -> dict[int, Match]:
    """Return row number -> the person it means, for every row that means one."""
    found = _Matching(rows, known)
    found.take(_by_ref_of_row, _by_ref)
    found.take(lambda row: _address(row, _name_key(row.name)), _by_whole_name)
    found.take(lambda row: _address(row, family_key(row.name)), _by_family)
    found.take(lambda row: _address(row, family_key(row.name)), _by_former)
    found.take(_name_and_partner, _by_name_and_partner, is_certain=False)
    return found.matches


def compare(row: ListedPerson, person: KnownPerson, groups: Groups) -> tuple[FieldChange, ...]:
    """Return what the row would change of the person."""
    pairs = [
        ("ref", person.ref, row.ref),
        ("name", person.name, row.name),
        ("partner", person.partner, row.partner),
        ("role_title", person.role_title, row.role_title),
        ("phone", person.phone, row.phone),
        ("locale", person.locale, row.locale),
    ]
    changes = [FieldChange(name, old, new) for name, old, new in pairs if _differs(name, old, new)]
    if row.email and row.email_normal != person.email.casefold():
        changes.append(FieldChange("email", person.email, row.email))
    if row.groups and row.groups != person.groups:
        changes.append(
            FieldChange("groups", _names(person.groups, groups), _names(row.groups, groups))
        )
    if person.has_ended:
        changes.append(FieldChange("ended", "1", ""))
    return tuple(changes)


@dataclass(slots=True)
class _Matching:
    """The state of one pass after the other."""

    rows: Sequence[ListedPerson]
    known: Sequence[KnownPerson]
    matches: dict[int, Match] = field(default_factory=dict)
    taken: set[UUID] = field(default_factory=set)

    def take(
        self,
        key_of: "Callable[[ListedPerson], Hashable]",
        keys_of: "Callable[[KnownPerson], Iterable[Hashable]]",
        *,
        is_certain: bool = True,
    ) -> None:
        index: dict[Hashable, list[KnownPerson]] = {}
        # Who has ended comes last: a present member of the same name is meant before.
        for person in sorted(self.known, key=lambda one: one.has_ended):
            for key in keys_of(person):
                index.setdefault(key, []).append(person)
        for row in self.rows:
            key = key_of(row)
            if key is None or row.number in self.matches:
                continue
            free = [one for one in index.get(key, ()) if self._is_free(one, row)]
            if free:
                # Two who fit alike are a guess, however sure the way of looking is.
                self.matches[row.number] = Match(free[0], is_certain and len(free) == 1)
                self.taken.add(free[0].id)

    def _is_free(self, person: KnownPerson, row: ListedPerson) -> bool:
        """Another id is another person, whatever else is alike."""
        is_other = bool(person.ref and row.ref and person.ref != row.ref)
        return person.id not in self.taken and not is_other


def _name_key(name: str) -> str:
    return titles.sort_key(name)


def _address(row: ListedPerson, name: str) -> Hashable:
    return (row.email_normal, name) if row.email else None


def _by_ref_of_row(row: ListedPerson) -> Hashable:
    return row.ref or None


def _by_ref(person: KnownPerson) -> Iterable[Hashable]:
    return [person.ref] if person.ref else []


def _by_whole_name(person: KnownPerson) -> Iterable[Hashable]:
    return [(person.email.casefold(), _name_key(person.name))] if person.email else []


def _by_family(person: KnownPerson) -> Iterable[Hashable]:
    return [(person.email.casefold(), family_key(person.name))] if person.email else []


def _by_former(person: KnownPerson) -> Iterable[Hashable]:
    family = family_key(person.name)
    return [(address, family) for address in person.former]


def _name_and_partner(row: ListedPerson) -> Hashable:
    return (_name_key(row.name), partner_key(row.partner))


def _by_name_and_partner(person: KnownPerson) -> Iterable[Hashable]:
    return [(_name_key(person.name), partner_key(person.partner))]


def _differs(name: str, old: str, new: str) -> bool:
    if not new:
        return False
    return partner_key(old) != partner_key(new) if name == "partner" else old != new


def _names(ids: Iterable[UUID], groups: Groups) -> str:
    return ", ".join(sorted(groups.get(one, str(one)) for one in ids))
