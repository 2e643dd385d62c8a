"""Settings of one process: frozen, read once from a mapping, refused together when odd."""

# ruff: noqa: RUF009 - `_setting` returns dataclass fields; the linter knows only `field` by name.

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

from service import setting_kinds as kinds
from service.tokens import Keys

PREFIX = "TERMINBUCH_"
# Fixed on purpose: a server that needs longer is not slow but gone.
SMTP_CONNECT_SECONDS = 30
SMTP_COMMAND_SECONDS = 60
SMTP_FINAL_REPLY_SECONDS = 600

SmtpMode = Literal["tls", "starttls", "plain"]
Role = Literal["all", "web", "worker"]
Locale = Literal["de", "en"]
HybridYes = Literal["in_person", "online"]

_STANDARD_PORT = {"tls": 465, "starttls": 587, "plain": 25}
# Of 64 characters of a local part the tag of a letter takes 43.
_TAGGED_LOCAL = 21
# Of 64 characters of a local part the token of an invitation takes 54.
_ANSWERED_LOCAL = 10
_MAILBOX_PORT = {"tls": 993, "starttls": 143, "plain": 143}
# Without a mail server no letter leaves; previews still need a sender.
_NO_SENDER = "termine@localhost"
_DEBUG_SWITCHES = ("LITESTAR_DEBUG", "LITESTAR_PDB")


class SettingsError(Exception):
    """Settings that cannot work together; `problems` has one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


def _setting(
    parse: Callable[[str], Any],
    default: str,
    description: str,
    *,
    secret: bool = False,
    shown: str | None = None,
) -> Any:
    """Declare a setting; an empty default means None, `shown` tells the table what that does."""
    return field(
        repr=not secret,
        metadata={
            "parse": parse,
            "default": default,
            "description": description,
            "secret": secret,
            "shown": default if shown is None else shown,
        },
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decides; everything has a default that works on one machine."""

    database_url: str | None = _setting(
        kinds.database_url,
        "",
        "Address of a PostgreSQL 15 or newer, such as postgresql://user:password@host/name.",
        secret=True,
        shown="the embedded PostgreSQL 18",
    )
    data_dir: Path = _setting(
        kinds.path,
        "./var",
        "Folder of the embedded database and of the token key, kept at mode 0700.",
    )
    public_url: str = _setting(
        kinds.public_url, "http://localhost:8000", "Address under which people reach the pages."
    )
    host: str = _setting(kinds.host, "127.0.0.1", "Address to listen on.")
    port: int = _setting(kinds.number(1, 65535), "8000", "Port to listen on.")
    role: Role = _setting(
        kinds.choice("all", "web", "worker"), "all", "What this process does: all, web or worker."
    )
    token_key: str | None = _setting(
        kinds.token_key,
        "",
        "Key of all lasting links as id:hex; several with commas, the first one makes new links.",
        secret=True,
        shown="made once in token.key",
    )
    smtp_host: str | None = _setting(
        kinds.host, "", "Mail server that takes our letters.", shown="no letter leaves"
    )
    smtp_port: int = _setting(
        kinds.number(1, 65535), "", "Port of the mail server.", shown="465, 587 or 25 by mode"
    )
    smtp_mode: SmtpMode = _setting(
        kinds.choice("tls", "starttls", "plain"),
        "starttls",
        "How the connection is protected: tls, starttls or plain (this machine only).",
    )
    smtp_user: str | None = _setting(kinds.text, "", "User name at the mail server.", shown="none")
    smtp_password: str | None = _setting(
        kinds.text, "", "Password at the mail server.", secret=True, shown="none"
    )
    smtp_connections: int = _setting(
        kinds.number(1, 50), "2", "Connections to the mail server at the same time."
    )
    pace_per_domain: int = _setting(
        kinds.number(1, 10_000), "60", "Letters a minute to the addresses of one domain at most."
    )
    mail_from: str = _setting(
        kinds.address,
        "",
        "Sender address of all letters, and where answers go; needed with a mail server.",
        shown="termine@localhost",
    )
    mail_from_name: str = _setting(kinds.text, "Geschäftsstelle", "Sender name of all letters.")
    mail_domain: str = _setting(
        kinds.domain, "", "Domain of message ids.", shown="the domain of the sender address"
    )
    bounce_address: str = _setting(
        kinds.address, "", "Where delivery reports go.", shown="the sender address"
    )
    bounce_per_letter: bool = _setting(
        kinds.flag,
        "no",
        "yes where a program reads the reports at that address and its mail server takes "
        "name+tag@domain: each letter then has a sender address of its own.",
    )
    alarm_address: str | None = _setting(
        kinds.address,
        "",
        "Who is told by mail when letters stay, are given up or refused, or ticks stand still.",
        shown="the office",
    )
    intake_lmtp: str | None = _setting(
        kinds.lmtp_place,
        "",
        "Where a mail server of this machine hands reports and replies over by LMTP: "
        "unix:/run/terminbuch/lmtp.sock or 127.0.0.1:2424.",
        shown="nobody listens",
    )
    imap_host: str | None = _setting(
        kinds.host,
        "",
        "Server of the mailbox that reports and replies go to, read every minute.",
        shown="no mailbox is read",
    )
    imap_port: int = _setting(
        kinds.number(1, 65535), "", "Port of that server.", shown="993, or 143 by mode"
    )
    imap_mode: SmtpMode = _setting(
        kinds.choice("tls", "starttls", "plain"),
        "tls",
        "How that connection is protected: tls, starttls or plain (this machine only).",
    )
    imap_user: str | None = _setting(kinds.text, "", "User name of the mailbox.", shown="none")
    imap_password: str | None = _setting(
        kinds.text, "", "Password of the mailbox.", secret=True, shown="none"
    )
    imap_folder: str = _setting(kinds.text, "INBOX", "Folder of the mailbox.")
    imip_address: str | None = _setting(
        kinds.answer_address,
        "",
        "Where calendar programs send their answers: termine+@example.org (each invitation has an "
        "address of its own behind the plus sign), @answers.example.org (a domain that takes any "
        "name) or termine@example.org (programs that prove their sender only).",
        shown="no buttons in calendar programs",
    )
    imip_authserv: str | None = _setting(
        kinds.domain,
        "",
        "Name by which our mail server signs Authentication-Results; it must remove foreign ones.",
        shown="no sender is proved by them",
    )
    imip_hybrid: HybridYes = _setting(
        kinds.choice("in_person", "online"),
        "in_person",
        "What a plain yes from a calendar program means for hybrid meetings: in_person or online.",
    )
    default_locale: Locale = _setting(
        kinds.choice("de", "en"), "de", "Language where nothing else is known: de or en."
    )
    pool_size: int = _setting(
        kinds.number(2, 200), "10", "Database connections of one process at most."
    )
    feed_cache_mb: int = _setting(
        kinds.number(1, 4096), "64", "Memory for finished calendar feeds, in megabytes."
    )
    embed_origins: tuple[str, ...] | None = _setting(
        kinds.origins,
        "",
        "Sites that may show our list of dates in a frame: https://www.example.org, several with "
        "commas.",
        shown="no frame opens",
    )
    log_level: str = _setting(
        kinds.choice("debug", "info", "warning", "error"),
        "info",
        "Least level that is logged: debug, info, warning or error.",
    )
    log_format: str = _setting(
        kinds.choice("json", "text"), "json", "json for machines, text for people at a terminal."
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read all settings, or raise `SettingsError` with every problem that was found."""
        problems = list(_foreign_problems(environ))
        values: dict[str, Any] = {}
        for each in fields(cls):
            try:
                values[each.name] = _read_one(each, environ)
            except kinds.OddValueError as odd:
                problems.append(f"{_variable(each)} {odd}.")
        if not problems:
            problems += _contradictions(values)
        if problems:
            raise SettingsError(problems)
        return cls(**_completed(values))

    @classmethod
    def table(cls) -> Iterator[tuple[str, str, str]]:
        """Yield the name, the default and the description of every setting."""
        for each in fields(cls):
            name = _variable(each)
            if each.metadata["secret"]:
                name = f"{name}, {name}_FILE"
            yield name, each.metadata["shown"], each.metadata["description"]

    @cached_property
    def token_keys(self) -> Keys:
        """The keys of lasting links; without a setting one is made once under the data folder."""
        if self.token_key is not None:
            return kinds.read_keys(self.token_key)
        try:
            return kinds.read_keys(_kept_key(self.data_dir))
        except (kinds.OddValueError, OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [f"The key in {self.data_dir / 'token.key'} cannot be read: {error}."]
            ) from error

    @property
    def is_local(self) -> bool:
        """Whether the pages are reached on this machine only."""
        return urlsplit(self.public_url).scheme == "http"


def settings_table_markdown() -> str:
    """Return the table of settings as the README shows it."""
    rows = [
        f"| {', '.join(f'`{part}`' for part in name.split(', '))} | {default} | {description} |"
        for name, default, description in Settings.table()
    ]
    return "\n".join(["| Setting | Default | What it does |", "|---|---|---|", *rows])


def _variable(each: "Field[Any]") -> str:
    return PREFIX + each.name.upper()


def _read_one(each: "Field[Any]", environ: Mapping[str, str]) -> Any:
    value = _given(each, environ)
    if value == "":
        value = each.metadata["default"]
    return each.metadata["parse"](value) if value else None


def _given(each: "Field[Any]", environ: Mapping[str, str]) -> str:
    name = _variable(each)
    value = environ.get(name, "").strip()
    file = environ.get(f"{name}_FILE", "").strip()
    if not each.metadata["secret"] or not file:
        return value
    if value:
        raise kinds.OddValueError(f"and {name}_FILE are both set; keep one")
    try:
        text = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise kinds.OddValueError(
            f"cannot be read, because {name}_FILE names no readable text file"
        ) from None
    if not text:
        raise kinds.OddValueError(
            f"cannot be read, because the file that {name}_FILE names is empty"
        )
    return text


def _foreign_problems(environ: Mapping[str, str]) -> Iterator[str]:
    known = {_variable(each) for each in fields(Settings)}
    known |= {f"{_variable(each)}_FILE" for each in fields(Settings) if each.metadata["secret"]}
    for name in sorted(environ):
        if name in _DEBUG_SWITCHES:
            yield f"{name} must not be set, because it shows the inside of the program to visitors."
        # Names in other parts of the program (tests, unit files) carry a second prefix.
        elif name.startswith(PREFIX) and name not in known and not _is_for_tests(name):
            yield f"{name} is not a setting of this program."


def _is_for_tests(name: str) -> bool:
    return name.startswith(f"{PREFIX}TESTS_")


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    if values["smtp_mode"] == "plain":
        if values["smtp_host"] not in {None, *kinds.LOOPBACK}:
            yield f"{PREFIX}SMTP_MODE may be plain only when {PREFIX}SMTP_HOST is this machine."
        if values["smtp_user"] or values["smtp_password"]:
            yield (
                f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD must not be set in plain mode, "
                "because they would travel unprotected."
            )
    elif bool(values["smtp_user"]) != bool(values["smtp_password"]):
        yield f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD belong together; one is missing."
    if values["smtp_host"] and not values["mail_from"]:
        yield f"{PREFIX}MAIL_FROM must be set when {PREFIX}SMTP_HOST is."
    yield from _mailbox_contradictions(values)
    yield from _bounce_contradictions(values)
    yield from _answer_contradictions(values)
    if values["database_url"] and not values["token_key"]:
        yield (
            f"{PREFIX}TOKEN_KEY must be set when {PREFIX}DATABASE_URL is, because all processes "
            "at one database must make the same links."
        )


def _mailbox_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    named = {name for name in ("imap_host", "imap_user", "imap_password") if values[name]}
    if named and len(named) < len(("host", "user", "password")):
        yield (
            f"{PREFIX}IMAP_HOST, {PREFIX}IMAP_USER and {PREFIX}IMAP_PASSWORD belong together; "
            "one is missing."
        )
    if values["imap_mode"] == "plain" and values["imap_host"] not in {None, *kinds.LOOPBACK}:
        yield f"{PREFIX}IMAP_MODE may be plain only when {PREFIX}IMAP_HOST is this machine."


def _bounce_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    local = (values["bounce_address"] or values["mail_from"] or "").partition("@")[0]
    if values["bounce_per_letter"] and not 0 < len(local) <= _TAGGED_LOCAL:
        yield (
            f"{PREFIX}BOUNCE_ADDRESS must have {_TAGGED_LOCAL} characters at most before the @ "
            f"when {PREFIX}BOUNCE_PER_LETTER is yes, because the letter's tag needs the rest."
        )


def _answer_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    address = values["imip_address"]
    if address is None:
        return
    if not (values["intake_lmtp"] or values["imap_host"]):
        yield (
            f"{PREFIX}INTAKE_LMTP or {PREFIX}IMAP_HOST must be set when {PREFIX}IMIP_ADDRESS is, "
            "because nobody would hear the answers."
        )
    if address.partition("@")[0].endswith("+") and len(address.partition("@")[0]) > _ANSWERED_LOCAL:
        yield (
            f"{PREFIX}IMIP_ADDRESS must have {_ANSWERED_LOCAL} characters at most before the @, "
            "because the invitation's token needs the rest."
        )


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    values["mail_from"] = values["mail_from"] or _NO_SENDER
    values["smtp_port"] = values["smtp_port"] or _STANDARD_PORT[values["smtp_mode"]]
    values["imap_port"] = values["imap_port"] or _MAILBOX_PORT[values["imap_mode"]]
    values["mail_domain"] = values["mail_domain"] or cast("str", values["mail_from"]).split("@")[1]
    values["bounce_address"] = values["bounce_address"] or values["mail_from"]
    return values


def _kept_key(data_dir: Path) -> str:
    """Return the text of the key file, made once; two processes at the same time make one."""
    path = data_dir / "token.key"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = data_dir / f"token.key.{os.getpid()}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
            file.write(f"k1:{secrets.token_hex(32)}\n")
        if os.geteuid() == 0:
            # A command run as root must not take the key away from the folder's owner.
            os.chown(draft, data_dir.stat().st_uid, data_dir.stat().st_gid)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text("ascii").strip()
