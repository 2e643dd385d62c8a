"""Who is asking, in which language, with which form token: one value for handlers and pages."""

import hmac
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from service import furnishing, keeping_sessions
from service.auditing import Actor
from service.domain import instants
from service.domain.accounts import Account
from service.domain.errors import NotAllowedError
from service.furnishing import Furnishing
from service.keeping_sessions import Session
from service.pages.catalogue import texts
from service.tokens import Keys
from service.web import form_tokens

FACTS = "terminbuch.facts"
VISITOR = "terminbuch.visitor"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the outermost layer knows of a request before it is routed."""

    request_id: str
    locale: str
    path: str
    is_head: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One request's visitor; `account` is None everywhere but on pages behind sign-in."""

    locale: str
    path: str
    now: datetime
    furnishing: Furnishing
    request_id: str = ""
    session: Session | None = None
    is_private: bool = False
    form_secrets: tuple[bytes, ...] = ()
    network: str | None = None

    @property
    def account(self) -> Account | None:
        """Return the signed-in account, None on public and token pages."""
        return None if self.session is None else self.session.account

    @property
    def staff(self) -> Account:
        """Return the signed-in account; routes behind sign-in always have one."""
        if self.session is None:
            raise NotAllowedError
        return self.session.account

    @property
    def actor(self) -> Actor:
        """Return who stands in the audit; for routes behind sign-in."""
        return keeping_sessions.actor(self.staff)

    @property
    def today(self) -> date:
        """Return the day that the office's calendar shows now."""
        return instants.to_local(self.now, self.furnishing.time_zone).date()

    @property
    def form_token(self) -> str | None:
        """Return a fresh token for the forms of a page, None where forms need none."""
        return form_tokens.make(self.form_secrets[0], self.now) if self.form_secrets else None

    def t(self, key: str, /, **values: Any) -> str:
        """Return a text in the visitor's language."""
        return texts(self.locale).t(key, **values)


def token_form_secrets(keys: Keys, token: str) -> tuple[bytes, ...]:
    """Derive what the forms of a token page are signed with, newest key first."""
    message = b"form\x00" + token.encode("utf-8", "replace")
    return tuple(hmac.digest(key.secret, message, sha256) for key in keys.keys)


def unknown(facts: Facts, known: Furnishing | None, now: datetime) -> Visitor:
    """Return the visitor of a request that met no route; error pages are made for it."""
    blank = Furnishing(furnishing.InstanceData("Terminbuch"), is_demo=False, missing=())
    return Visitor(
        locale=facts.locale,
        path="/",
        now=now,
        furnishing=known or blank,
        request_id=facts.request_id,
        is_private=True,
    )
