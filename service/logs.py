"""Structured logs on stderr: one line an event, no tokens, no control characters."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, NoReturn, TextIO

import structlog

# Whoever reads the log must not be able to open what it tells about.
_DROPPED = frozenset(
    {"authorization", "body", "cookie", "headers", "password", "path", "query", "secret", "token"}
)
_HIDDEN = "[hidden]"
# Every secret that we make is longer; a word of this length with a digit is hardly anything else.
_SECRET_LENGTH = 40
_SECRET = re.compile(rf"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{{{_SECRET_LENGTH},}}")
# C0, DEL, C1, line separators, marks that turn the direction of writing, halves of a character.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Libraries that log paths, addresses or statements below this level.
_QUIET = ("aiosmtplib", "apscheduler", "asyncio", "granian", "litestar", "mail.log", "piccolo")

Event = MutableMapping[str, Any]


def configure_logs(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to one stream in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
        escape_controls,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    render = _render_text if form == "text" else _render_json
    structlog.configure(
        processors=[
            # What nobody will read is dropped before anything is done to it.
            structlog.stdlib.filter_by_level,
            *shared,
            partial(_write, handler, render),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
            ],
        )
    )
    # No line of ours names thread, process or task; looking them up costs as much as writing it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # A tick that still runs when its next turn comes is no news: how it ends is in its health.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)


def hide_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Drop what may hold a token, and hide what looks like one inside other texts."""
    for name in [key for key in event if key.lower() in _DROPPED]:
        del event[name]
    return _change_texts(event, _hide)


def escape_controls(_logger: object, _method: str, event: Event) -> Event:
    """Write control characters as escapes, so that no value begins a line of its own."""
    return _change_texts(event, _escape)


def _write(
    handler: "logging.StreamHandler[TextIO]",
    render: structlog.typing.Processor,
    logger: object,
    method: str,
    event: Event,
) -> NoReturn:
    """Write an event of ours where the handler writes, without the records in between.

    They cost more than all of the rest, and each request writes a line.
    """
    line: Any = render(logger, method, event)
    # A log that cannot be written must not end what it tells about.
    with handler.lock or nullcontext(), suppress(OSError, ValueError):
        handler.stream.write(f"{line}\n")
        handler.flush()
    raise structlog.DropEvent


def _hide(text: str) -> str:
    return text if len(text) < _SECRET_LENGTH else _SECRET.sub(_HIDDEN, text)


def _escape(text: str) -> str:
    if text.isprintable():
        # None of the signs below is; most texts end here, and every request writes some.
        return text
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _change_texts(event: Event, change: Any) -> Event:
    for name, value in event.items():
        if type(value) is str:
            event[name] = change(value)
        elif name not in {"_record", "_from_structlog"}:
            event[name] = _change_text(value, change)
    return event


def _change_text(value: Any, change: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _change_text(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_change_text(each, change) for each in value]
    return change(str(value))


_render_json = structlog.processors.JSONRenderer(ensure_ascii=False)


def _render_text(_logger: object, _method: str, event: Event) -> str:
    # A traceback was escaped like everything else; people read it by lines, set apart by an indent.
    trace = str(event.pop("exception", "")).replace("\\n", "\n    ")
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):<7} {event.pop('event', '')}"
    event.pop("logger", None)
    rest = "".join(f" {name}={value}" for name, value in event.items())
    return head + rest + (f"\n    {trace}" if trace else "")
