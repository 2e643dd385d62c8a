import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.settings import PREFIX, Settings, SettingsError
from service.tokens import Key

KEY = "a1:" + "0f" * 32
OTHER = "b2:" + "f0" * 32
MAIL = {"SMTP_HOST": "mail.example.org", "MAIL_FROM": "termine@example.org"}


def _read(**values: str) -> Settings:
    return Settings.read(_environ(values))


def _environ(values: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in values.items()}


def _problems(**values: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        _read(**values)
    return caught.value.problems


def test_without_any_setting_one_machine_works() -> None:
    settings = _read()

    assert settings.database_url is None
    assert settings.smtp_host is None
    assert settings.public_url == "http://localhost:8000"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.is_local


def test_an_empty_value_counts_as_not_set() -> None:
    assert _read() == _read(PORT="", SMTP_HOST=" ", DEFAULT_LOCALE="")


def test_all_problems_are_told_at_once_and_each_names_its_setting() -> None:
    problems = _problems(PORT="0", LOG_LEVEL="loud", MAIL_FROM="a@exa mple.org")

    assert problems == (
        "TERMINBUCH_PORT must be a whole number from 1 to 65535.",
        "TERMINBUCH_MAIL_FROM must be one mail address such as termine@example.org.",
        "TERMINBUCH_LOG_LEVEL must be one of debug, info, warning, error.",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80 80"),
        ("PORT", "\u0668\u0660"),
        ("PORT", "-1"),
        ("POOL_SIZE", "1"),
        ("PUBLIC_URL", "termine.example.org"),
        ("PUBLIC_URL", "https://user@termine.example.org"),
        ("PUBLIC_URL", "https://termine.example.org/path"),
        ("PUBLIC_URL", "https://termine.example.org?x=1"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("SMTP_MODE", "ssl"),
        ("SMTP_HOST", "smtp://mail.example.org"),
        ("MAIL_FROM", "a@x.example,b@y.example"),
        ("MAIL_FROM", "Office <a@x.example>"),
        ("MAIL_FROM_NAME", "Office\r\nBcc: all@example.org"),
        ("MAIL_DOMAIN", "exa mple.org"),
        ("TOKEN_KEY", "a1:short"),
        ("TOKEN_KEY", f"{KEY},{KEY}"),
        ("ROLE", "everything"),
        ("DATA_DIR", "/var\0x"),
    ],
)
def test_an_odd_value_is_refused_and_never_repeated_in_the_text(name: str, value: str) -> None:
    (problem,) = _problems(**{name: value})

    assert problem.startswith(f"TERMINBUCH_{name} ")
    assert problem.endswith(".")
    assert value not in problem


def test_a_public_address_without_https_is_refused_except_on_this_machine() -> None:
    (problem,) = _problems(PUBLIC_URL="http://termine.example.org")

    assert "the office pages need https" in problem
    assert _read(PUBLIC_URL="http://127.0.0.1:8001/").public_url == "http://127.0.0.1:8001"


def test_a_misspelt_setting_is_refused_instead_of_ignored() -> None:
    assert _problems(PUBLIC_ULR="x") == ("TERMINBUCH_PUBLIC_ULR is not a setting of this program.",)


@pytest.mark.parametrize("switch", ["LITESTAR_DEBUG", "LITESTAR_PDB"])
def test_a_debug_switch_of_the_framework_is_refused(switch: str) -> None:
    with pytest.raises(SettingsError, match=switch):
        Settings.read({switch: "0"})


def test_a_plain_connection_is_for_this_machine_and_without_a_user_name() -> None:
    first = _problems(**MAIL, SMTP_MODE="plain")
    second = _problems(
        **{**MAIL, "SMTP_HOST": "localhost"}, SMTP_MODE="plain", SMTP_USER="u", SMTP_PASSWORD="p"
    )

    assert first == (
        "TERMINBUCH_SMTP_MODE may be plain only when TERMINBUCH_SMTP_HOST is this machine.",
    )
    assert "travel unprotected" in second[0]


@pytest.mark.parametrize(("mode", "port"), [("tls", 465), ("starttls", 587)])
def test_the_standard_port_follows_the_mode(mode: str, port: int) -> None:
    assert _read(**MAIL, SMTP_MODE=mode).smtp_port == port
    assert _read(**MAIL, SMTP_MODE=mode, SMTP_PORT="2525").smtp_port == 2525


def test_a_user_name_without_a_password_is_refused() -> None:
    (problem,) = _problems(**MAIL, SMTP_USER="office")

    assert "belong together" in problem


def test_an_address_for_each_letter_needs_room_for_its_tag() -> None:
    fitting = _read(BOUNCE_PER_LETTER="yes", BOUNCE_ADDRESS="b" * 21 + "@example.org")

    [problem] = _problems(BOUNCE_PER_LETTER="yes", BOUNCE_ADDRESS="b" * 22 + "@example.org")

    assert fitting.bounce_per_letter
    assert "TERMINBUCH_BOUNCE_ADDRESS must have 21 characters at most" in problem


def test_domain_and_bounce_address_follow_the_sender() -> None:
    settings = _read(**MAIL)

    assert settings.mail_domain == "example.org"
    assert settings.bounce_address == "termine@example.org"


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    assert _read(TOKEN_KEY_FILE=str(file)).token_key == KEY


def test_a_secret_given_twice_or_in_no_file_or_an_empty_one_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()

    assert "are both set" in _problems(TOKEN_KEY=KEY, TOKEN_KEY_FILE=str(empty))[0]
    assert "no readable text file" in _problems(TOKEN_KEY_FILE=str(tmp_path / "none"))[0]
    assert "is empty" in _problems(TOKEN_KEY_FILE=str(empty))[0]


def test_what_is_no_secret_has_no_file_form() -> None:
    assert "TERMINBUCH_PORT_FILE is not a setting" in _problems(PORT_FILE="/etc/port")[0]


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    shown = repr(
        _read(
            **MAIL,
            SMTP_USER="office",
            SMTP_PASSWORD="open sesame",
            TOKEN_KEY=KEY,
            DATABASE_URL="postgresql://u:hidden@h/d",
        )
    )

    assert "sesame" not in shown
    assert "0f0f" not in shown
    assert "hidden" not in shown


def test_an_external_database_needs_a_key_that_all_processes_share() -> None:
    (problem,) = _problems(DATABASE_URL="postgresql://h/d")

    assert problem.startswith("TERMINBUCH_TOKEN_KEY must be set when TERMINBUCH_DATABASE_URL is")


def test_the_first_of_several_keys_is_the_current_one() -> None:
    keys = _read(TOKEN_KEY=f"{OTHER}, {KEY}").token_keys

    assert keys.current == Key("b2", b"\xf0" * 32)
    assert [key.key_id for key in keys.keys] == ["b2", "a1"]


def test_without_a_key_one_is_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    first = _read(DATA_DIR=str(folder)).token_keys
    second = _read(DATA_DIR=str(folder)).token_keys

    assert first == second
    assert len(first.current.secret) == 32
    assert stat.S_IMODE((folder / "token.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["token.key"]


def test_a_damaged_key_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("k1:12\n")

    with pytest.raises(SettingsError, match=r"token\.key cannot be read"):
        _ = _read(DATA_DIR=str(tmp_path)).token_keys

    assert (tmp_path / "token.key").read_text() == "k1:12\n"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("Termine+@Example.org", "termine+@example.org"),
        ("@Antwort.example.org", "@antwort.example.org"),
        ("termine@example.org", "termine@example.org"),
    ],
)
def test_answers_of_calendar_programs_come_to_one_of_three_forms(given: str, read: str) -> None:
    settings = _read(IMIP_ADDRESS=given, INTAKE_LMTP="127.0.0.1:2424")

    assert settings.imip_address == read


def test_a_sender_whose_letters_no_server_would_take_is_refused() -> None:
    [problem] = _problems(MAIL_FROM="bündnis@example.org")

    assert "TERMINBUCH_MAIL_FROM" in problem


@pytest.mark.parametrize("given", ["termine", "+@example.org", "a b+@example.org", "@", "x@"])
def test_an_address_of_no_such_form_is_refused(given: str) -> None:
    [problem] = _problems(IMIP_ADDRESS=given, INTAKE_LMTP="127.0.0.1:2424")

    assert "TERMINBUCH_IMIP_ADDRESS" in problem


def test_no_button_without_an_ear_and_room_for_the_token() -> None:
    [deaf] = _problems(IMIP_ADDRESS="termine+@example.org")
    [long] = _problems(IMIP_ADDRESS="geschaeftsstelle+@example.org", INTAKE_LMTP="127.0.0.1:2424")

    assert "TERMINBUCH_INTAKE_LMTP" in deaf
    assert "10 characters" in long
