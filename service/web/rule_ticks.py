"""The reminder rules inside the scheduling form: a tick for each that counts for the session."""

from collections.abc import Iterable
from uuid import UUID

from service import ruling
from service.ruling import KnownRule, Scope, Ticks
from service.services import Services
from service.web import rule_words
from service.web.forms import Field, Form
from service.web.visitors import Visitor

# Beside the ticks go the rules that the page showed, and those that were on: only what somebody
# has changed is saved.
FIELDS = (
    Field("rules_seen", "ids"),
    Field("rules_on", "ids"),
    Field("reminder_rules", "ids", "rules.form_legend"),
)


def read(form: Form) -> Ticks:
    """Return what was ticked beside what was shown as ticked."""
    return Ticks(
        frozenset(form.parsed.get("rules_on") or ()),
        frozenset(form.parsed.get("reminder_rules") or ()),
    )


async def fill(
    services: Services, visitor: Visitor, form: Form, group_id: UUID, meeting_id: UUID | None
) -> list[tuple[str, str]]:
    """Put the rules of the session, or of the group of a new one, into the form.

    Returns a choice for each. What was typed stays; a rule that the form has not shown yet stands
    as it is.
    """
    scope = Scope(group_id=group_id) if meeting_id is None else Scope(meeting_id=meeting_id)
    rules = await ruling.list_rules(services.database, scope, authority=visitor.staff)
    seen, on, ticked = (_names(form, each.name) for each in FIELDS)
    form.values["rules_on"] = _ids(rules, seen, on)
    form.values["reminder_rules"] = _ids(rules, seen, ticked)
    form.values["rules_seen"] = [str(each.id) for each in rules]
    return [(str(each.id), rule_words.say(each.rule, visitor.locale)) for each in rules]


def _names(form: Form, name: str) -> set[str]:
    return set(form.values.get(name) or ())


def _ids(rules: Iterable[KnownRule], seen: set[str], chosen: set[str]) -> list[str]:
    """Return the rules that are chosen; one that was copied meanwhile keeps what was typed."""
    found = []
    for each in rules:
        names = {str(each.id), str(each.copied_from)}
        if each.is_enabled if names.isdisjoint(seen) else not names.isdisjoint(chosen):
            found.append(str(each.id))
    return found
