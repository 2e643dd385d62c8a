"""Who may call a route: every handler declares one policy, and one guard enforces it."""

from collections.abc import Iterable
from enum import StrEnum

from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler

from service.domain.accounts import Account
from service.domain.words import Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Policy(StrEnum):
    """The authority that a route asks for."""

    PUBLIC = "public"  # everybody; no cookie is read or set
    TOKEN = "token"  # noqa: S105 - whoever holds the secret in the path parameter `token`
    STAFF = "staff"  # any signed-in account
    GROUP = "group"  # signed in; the use case checks the group; readers only look
    COORDINATOR = "coordinator"  # the office: coordinators and administrators
    ADMIN = "admin"  # administrators
    HEALTH = "health"  # machines that watch; JSON, no account


# These read the session cookie, and their unsafe methods are guarded against forgery.
SIGNED_IN = frozenset({Policy.STAFF, Policy.GROUP, Policy.COORDINATOR, Policy.ADMIN})

_OFFICE = frozenset({Role.COORDINATOR, Role.ADMIN})


class UndeclaredPolicyError(Exception):
    """A route was registered without saying who may call it."""


def policy_of(handler: BaseRouteHandler) -> Policy:
    """Return the declared policy, or raise `UndeclaredPolicyError`."""
    declared = handler.opt.get("policy")
    if not isinstance(declared, Policy):
        raise UndeclaredPolicyError(str(handler))
    return declared


def allows(policy: Policy, account: Account, method: str) -> bool:
    """Tell whether a signed-in account passes; groups and objects are the use case's to check."""
    match policy:
        case Policy.ADMIN:
            return account.role is Role.ADMIN
        case Policy.COORDINATOR:
            return account.role in _OFFICE
        case Policy.GROUP:
            return account.role is not Role.READER or method in SAFE_METHODS
        case _:
            return True


def check(handlers: Iterable[HTTPRouteHandler]) -> None:
    """Refuse to start with a route that declares no policy."""
    for handler in handlers:
        policy_of(handler)
