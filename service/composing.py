"""The clerk that the postman asks whether a letter still holds, for whom, and in which words."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from notifications import addresses, combining
from notifications.clerk import Go, Stop
from notifications.combining import Dropped
from notifications.letters import Draft
from service import (
    alarming,
    digesting,
    forwarding,
    furnishing,
    hearing,
    judging,
    listing_links,
    occasions,
    phrasing,
    plain_letters,
    preferring,
    probing,
    relaying,
    requesting,
    summarising,
    tokens,
)
from service.database import Database
from service.domain import preferences
from service.domain.preferences import Topic
from service.drafting import Drafter, Key
from service.furnishing import InstanceData
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.tables import letter_statements

_TO_THE_OFFICE = frozenset({forwarding.KIND, alarming.KIND})
_JUST_USED = 64


class Clerk:
    """Judges and composes with what the database says now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database: Database = services.database
        self._drafter = Drafter(services)
        self._stop_local = hearing.stop_address(services.settings).rpartition("@")[0]

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for a claimed batch with one query."""
        rows = await self._database.fetch(letter_statements.LOOK_UP, list(ids))
        office = await furnishing.look(self._database)
        verdicts: dict[UUID, Go | Stop] = {}
        for letter_id, found in groupby(rows, itemgetter("id")):
            row, *more = found
            if row["part"] is None:
                verdict = await self._judge(row, office.instance, is_ready=office.is_ready)
            else:
                verdict = await self._judge_parts(
                    [row, *more], office.instance, is_ready=office.is_ready
                )
            verdicts[letter_id] = verdict
        return verdicts

    async def look_up_formerly(self, ids: Sequence[UUID]) -> Sequence[Mapping[UUID, Go | Stop]]:
        """Answer with each key that made links before the present one."""
        former = tokens.formerly(self._services.keys)
        clerks = [Clerk(replace(self._services, keys=keys)) for keys in former]
        return [await clerk.look_up(ids) for clerk in clerks]

    async def compose(self, prototype_key: Hashable) -> Draft:
        """Write what all recipients with this key have in common."""
        if not isinstance(prototype_key, Key):
            raise TypeError(prototype_key)
        return await self._drafter.write(prototype_key)

    async def _judge(
        self, row: Mapping[str, Any], instance: InstanceData, *, is_ready: bool
    ) -> Go | Stop:
        stop = self._stop(row, is_ready=is_ready)
        if stop is not None:
            return stop
        if row["kind"] in _TO_THE_OFFICE:
            return await self._to_the_office(row, instance)
        if row["address_state"] == "undeliverable" and not await self._may_probe(row):
            return Stop("undeliverable", "held")
        return _as_wished(await self._go(row, instance), row)

    async def _go(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        if row["kind"] == summarising.KIND:
            return await self._summary(row, instance)
        if row["kind"] == "lost_links":
            return await self._lost_links(row, instance)
        if row["kind"] == digesting.KIND:
            return await self._digest(row, instance)
        plain = {
            "sign_in": self._sign_in,
            "test": self._test,
            "hint_received": self._hint,
            "probe": self._probe,
            probing.KIND: self._ear,
        }
        return plain.get(row["kind"], self._about_meeting)(row, instance)

    async def _judge_parts(
        self, rows: Sequence[Mapping[str, Any]], instance: InstanceData, *, is_ready: bool
    ) -> Go | Stop:
        """Let a letter about several sessions leave with the parts that still hold."""
        now = self._services.clock()
        fates = [(row, row["dropped_because"] or judging.judge(row, now)) for row in rows]
        gone = [(row, reason) for row, reason in fates if reason is not None]
        if len(gone) == len(rows):
            return Stop(gone[0][1])
        standing = [row for row, reason in fates if reason is None]
        new = [one for one in gone if one[0]["dropped_because"] is None]
        await combining.note_dropped(
            self._database,
            [Dropped(row["id"], row["subject_id"], reason) for row, reason in new],
        )
        # What nobody here knows keeps the rest back; what spares somebody the way may try an
        # address that the rest would only wait for.
        likely = min(standing, key=_is_unlikely)
        stop = self._stop(likely, is_ready=is_ready)
        if stop is not None:
            return stop
        if likely["address_state"] == "undeliverable" and not await self._may_probe(likely):
            return Stop("undeliverable", "held")
        return _as_wished(self._about_meetings(rows, standing, instance), likely)

    def _about_meetings(
        self,
        rows: Sequence[Mapping[str, Any]],
        standing: Sequence[Mapping[str, Any]],
        instance: InstanceData,
    ) -> Go:
        """Give each part its own links, dropped ones too: bytes that were promised need them."""
        parts = [self._about_meeting(row, instance) for row in standing]
        first = standing[0]
        # One press on "unsubscribe" ends reminders where there are any among the parts.
        stopped = min(standing, key=lambda row: row["kind"] != "reminder")
        values = {**self._wish_links(stopped)}
        shared = ("name", "addressee", "first_letter")
        values |= {name: parts[0].values[name] for name in shared if name in parts[0].values}
        for row in rows:
            values |= {
                f"{name}_{_topic_of(row)}": link
                for name, link in self._wish_links(row).items()
                if name.startswith("link_unsubscribe")
            }
            values[f"deputy_{row['part']}"] = row["deputy_name"] or ""
            if row["handle"] is not None:
                links = self._links(row["handle"], row["epoch"], row["locale"])
                values[f"link_answer_{row['part']}"] = links["link_answer"]
                values[f"answer_epoch_{row['part']}"] = str(row["epoch"])
        keys = tuple(
            replace(part.prototype_key, slot=f"_{row['part']}", follows=False)
            for part, row in zip(parts, standing, strict=True)
            if isinstance(part.prototype_key, Key)
        )
        whole = replace(
            keys[0],
            kind=first["whole_kind"],
            meeting_id=None,
            parts=keys,
            topic=_topic_of(stopped),
            follows="first_letter" in values,
        )
        return replace(parts[0], values=values, prototype_key=whole)

    def _stop(self, row: Mapping[str, Any], *, is_ready: bool) -> Stop | None:
        reason = judging.judge(row, self._services.clock())
        if reason is not None:
            return Stop(reason)
        if row["kind"] != "sign_in" and not is_ready:
            return Stop("not_ready", "held")
        held = judging.held_because(row) or judging.waits_because(row, self._services.clock())
        return Stop(held, "held") if held else None

    async def _may_probe(self, row: Mapping[str, Any]) -> bool:
        """Let one letter try an address that does not work, whoever else asks at the same time."""
        if row["kind"] not in judging.PROBES:
            return True
        async with self._database.unit_of_work() as unit:
            return await addresses.probe(unit.connection, row["address_normal"], row["id"])

    def _about_meeting(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        name, partner, kind = row["person_name"], row["organisation_name"], row["kind"]
        values = {
            "name": name,
            "addressee": f"{name}, {partner}" if partner else name,
            "deputy": row["deputy_name"],
            "answer_epoch": str(row["epoch"]),
            **self._links(row["handle"], row["epoch"], row["locale"]),
            **self._wish_links(row),
        }
        has_stance = kind in occasions.WITH_STANCE
        key = _share(
            kind=kind,
            locale=row["locale"],
            instance=instance,
            meeting_id=row["subject_id"],
            revision=row["meeting_revision"],
            group_names=tuple(row["group_names"]),
            notice_id=row["notice_id"],
            known_id=row["known_id"],
            is_first=row["first_letter_on"] is None,
            # It says where the first letter has the address from; the others are alike.
            has_partner=bool(partner) or row["first_letter_on"] is not None,
            is_copy=row["is_copy"],
            way=requesting.way_of(row, self._services.settings, self._services.clock()),
            because=row["cause"].get("because", ""),
            is_brief=row["whole_kind"] == requesting.UPDATE,
            stance=row["answer"] or "" if has_stance else "",
            holds=has_stance and bool(row["holds"]),
            has_deputy=has_stance and bool(row["deputy_name"]),
            follows=row["first_letter_id"] is not None,
            leads=row["answers_now"] is not None,
            is_late=occasions.is_over(row["answer_by"], self._services.clock()),
        )
        if key.leads:
            values |= occasions.count_answers(row["answers_now"])
        if key.follows:
            values["first_letter"] = str(row["first_letter_id"])
        values |= requesting.fill_gaps(row, self._services.keys, key.way)
        if key.is_copy:
            name = texts(key.locale).t("letter.copy.to", name=name)
        return Go(row["person_email"], name, values, key, requesting.SECRETS)

    def _links(self, handle: UUID, epoch: int, locale: str) -> dict[str, str]:
        address = listing_links.answer_address(self._services, handle, epoch, locale)
        links = {
            f"link_{answer}": f"{address}?w={word}" for answer, word in phrasing.CHOICES.items()
        }
        return links | {"link_answer": address}

    def _wish_links(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the links by which the person says which letters to get."""
        public_url, locale = self._services.settings.public_url, row["locale"]

        def address(path: str) -> str:
            return f"{public_url}{localised(path, locale)}"

        return preferring.letter_links(
            self._services.keys,
            row,
            _topic_of(row),
            address,
            stop_local=self._stop_local,
        )

    def _sign_in(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        keys, token_id = self._services.keys, row["token_id"]
        path = f"/anmelden/l/{tokens.one_time_secret(keys, token_id)}"
        address = f"{self._services.settings.public_url}{localised(path, row['locale'])}"
        values = {"link_sign_in": address, "code": tokens.one_time_code(keys, token_id)}
        key = Key(kind="sign_in", locale=row["locale"], instance=instance)
        return Go(row["account_email"], row["account_name"], values, key, frozenset({"code"}))

    def _probe(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        key = Key(kind="probe", locale=row["locale"], instance=instance)
        return Go(self._office(instance), instance.office_name, {}, key)

    def _ear(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        address = probing.own_address(self._services.settings, self._services.keys)
        key = Key(kind=probing.KIND, locale=row["locale"], instance=instance)
        return Go(address, instance.office_name, {}, key)

    def _office(self, instance: InstanceData) -> str:
        return relaying.office_address(self._services.settings, instance)

    async def _to_the_office(self, row: Mapping[str, Any], instance: InstanceData) -> Go | Stop:
        public_url, locale = self._services.settings.public_url, row["locale"]
        if row["kind"] == forwarding.KIND:
            told = await forwarding.read(self._database, row["cause"], locale, public_url)
            to = self._office(instance)
        else:
            told = await alarming.read(self._database, row["cause"], locale, public_url)
            to = alarming.address(self._services.settings, instance)
            if not await alarming.is_reachable(self._database, to):
                return Stop("undeliverable")
        if told is None:
            return Stop("gone")
        key = Key(
            kind=row["kind"],
            locale=locale,
            instance=instance,
            heading=told.heading,
            reply_to=told.reply_to,
        )
        return Go(to, instance.office_name, told.values, key, told.secrets)

    def _test(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        """Send what was shown to whoever asked for it; names and links in it are nobody's."""
        cause = row["cause"]
        sample = cause["subject"], cause["text"], cause["html"], cause.get("calendar", "")
        key = Key(kind="test", locale=row["locale"], instance=instance, sample=sample)
        return Go(row["account_email"], row["account_name"], {}, key)

    def _hint(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        values = {"lines": plain_letters.hint_lines(row["cause"], row["locale"])}
        key = Key(kind="hint_received", locale=row["locale"], instance=instance)
        # The cause holds the words already; a second copy would only have to be purged too.
        return Go(self._office(instance), instance.office_name, values, key, frozenset({"lines"}))

    async def _lost_links(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        """Mail all open links of everybody who shares the address, each under its name."""
        locale = row["locale"]
        found = await listing_links.find(self._services, row["recipient_id"], locale)
        values = {
            "name": row["person_name"],
            **found.labels,
            **listing_links.fill(self._services, found.roots, row["roots"], locale),
            **self._wish_links(row),
        }
        key = Key(kind="lost_links", locale=locale, instance=instance, links=found.shape)
        return Go(row["person_email"], row["person_name"], values, key)

    async def _digest(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        locale = row["locale"]
        found = await digesting.read(self._database, row["cause"], locale, self._services.clock())
        links = listing_links.fill(self._services, found.roots, row["roots"], locale)
        name = row["person_name"]
        values = {"name": name, **found.values, **links, **self._wish_links(row)}
        key = Key(kind=digesting.KIND, locale=locale, instance=instance, digest=found.shape)
        return Go(row["person_email"], name, values, key)

    async def _summary(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        """Sum up the answers for whoever works with the session."""
        found = await summarising.read(
            self._database, row["subject_id"], row["locale"], self._services.clock()
        )
        values = {"name": row["account_name"], **found.values}
        if row["first_letter_id"] is not None:
            values["first_letter"] = str(row["first_letter_id"])
        key = Key(
            kind=summarising.KIND,
            locale=row["locale"],
            instance=instance,
            meeting_id=row["subject_id"],
            revision=row["meeting_revision"],
            group_names=tuple(row["group_names"]),
            summary=found.shape,
            is_late=occasions.is_over(row["answer_by"], self._services.clock()),
            follows="first_letter" in values,
        )
        return Go(row["account_email"], row["account_name"], values, key)


def _is_unlikely(row: Mapping[str, Any]) -> tuple[bool, bool]:
    return row["kind"] in judging.KINDS, row["kind"] not in judging.PROBES


def _topic_of(row: Mapping[str, Any]) -> Topic | None:
    """Return what this letter's reader can switch off; a copy is for somebody else."""
    return None if row["is_copy"] else preferences.TOPICS.get(row["kind"])


# Whole crowds have one key: to look it up costs a third of writing it down again.
_share = lru_cache(maxsize=_JUST_USED)(Key)


def _as_wished(go: Go, row: Mapping[str, Any]) -> Go:
    """Let the letter look as its reader wants it; a copy is for somebody else."""
    key = go.prototype_key
    text_only, no_calendar = bool(row["text_only"]), bool(row["no_calendar"])
    is_usual = not text_only and not no_calendar
    if is_usual or row["is_copy"] or not isinstance(key, Key):
        return go
    return replace(go, prototype_key=replace(key, text_only=text_only, no_calendar=no_calendar))
