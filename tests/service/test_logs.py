import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service import logs

TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _written(form: str, **values: object) -> str:
    stream = io.StringIO()
    logs.configure_logs("info", form, stream)
    structlog.get_logger("tried").info("letter.sent", **values)
    return stream.getvalue()


def test_an_event_is_one_json_object_with_level_and_instant_in_utc() -> None:
    line = _written("json", letters=3, route="/a/{token}")

    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "letter.sent",
        "letters": 3,
        "level": "info",
        "logger": "tried",
        "route": "/a/{token}",
    }


def test_a_path_a_token_and_a_cookie_are_dropped_by_name() -> None:
    line = _written("json", path="/a/x", token="x", Cookie="sid=1", query="q=1")

    assert {"event", "level", "logger", "timestamp"} == set(json.loads(line))


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_token_inside_another_text_is_hidden(form: str) -> None:
    line = _written(form, error=f"cannot open https://x.example/a/{TOKEN}", many=[{"t": TOKEN}])

    assert TOKEN not in line
    assert "https://x.example/a/[hidden]" in line


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\x9b", "\u202e", "\u2028", "\0"])
def test_a_control_character_never_reaches_the_stream(form: str, sign: str) -> None:
    line = _written(form, title=f"one{sign}two")

    assert sign not in line[:-1]
    assert line.endswith("\n")


def test_an_exception_is_kept_and_its_message_forges_no_line_in_text() -> None:
    stream = io.StringIO()
    logs.configure_logs("info", "text", stream)

    try:
        raise ValueError("one\n2026-01-01T00:00:00Z info    forged")  # noqa: TRY301
    except ValueError:
        structlog.get_logger("tried").exception("it.broke")

    lines = stream.getvalue().splitlines()
    assert "it.broke" in lines[0]
    assert all(line.startswith("    ") for line in lines[1:])


def test_the_standard_librarys_logging_takes_the_same_way() -> None:
    stream = io.StringIO()
    logs.configure_logs("info", "json", stream)

    logging.getLogger("library").warning("kept %s of %s", 1, f"two {TOKEN}")

    assert json.loads(stream.getvalue())["event"] == "kept 1 of two [hidden]"


def test_a_library_that_logs_paths_is_quiet_below_warning() -> None:
    stream = io.StringIO()
    logs.configure_logs("debug", "json", stream)

    logging.getLogger("granian").info("GET /a/x")

    assert stream.getvalue() == ""


def test_a_stream_that_is_gone_ends_nothing() -> None:
    stream = io.StringIO()
    logs.configure_logs("info", "json", stream)
    stream.close()

    written = structlog.get_logger("tried").info("letter.sent")

    assert written is None
