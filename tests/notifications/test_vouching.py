"""A sender is proved by our own mail server alone."""

import pytest

from notifications import vouching

OURS = "mx.alliance.example.org"


def head(*results: str, sender: str = "Mira <Mira@Partner.example.org>") -> bytes:
    lines = [f"Authentication-Results: {one}" for one in results]
    return "\r\n".join([*lines, f"From: {sender}", "Message-ID: <1@x>", "", "body"]).encode()


@pytest.mark.parametrize(
    ("results", "proved"),
    [
        (["mx.alliance.example.org; dmarc=pass header.from=partner.example.org"], True),
        (
            [
                "MX.alliance.example.org 1;\r\n DMARC=pass (a) header.from=Partner.Example.org",
            ],
            True,
        ),
        (["mx.alliance.example.org; dmarc=fail header.from=partner.example.org"], False),
        (["mx.alliance.example.org; dmarc=pass header.from=other.example.org"], False),
        (["mx.alliance.example.org; dmarc=pass"], False),
        (["mx.alliance.example.org; dkim=pass header.d=partner.example.org"], False),
        (["mx.alliance.example.org; none (dmarc=pass header.from=partner.example.org)"], False),
        (["evil.example; dmarc=pass header.from=partner.example.org"], False),
        (
            [
                "mx.alliance.example.org; dmarc=fail header.from=partner.example.org",
                "mx.alliance.example.org; dmarc=pass header.from=partner.example.org",
            ],
            False,
        ),
        ([], False),
    ],
)
def test_only_our_own_topmost_result_proves_a_sender(results: list[str], *, proved: bool) -> None:
    assert proved is vouching.read(head(*results), OURS).is_proved


def test_without_the_name_of_our_server_nothing_is_proved() -> None:
    raw = head("mx.alliance.example.org; dmarc=pass header.from=partner.example.org")

    assert False is vouching.read(raw, None).is_proved


def test_two_senders_prove_none() -> None:
    passed = "mx.alliance.example.org; dmarc=pass header.from=partner.example.org"
    twice = head(passed, sender="a@partner.example.org\r\nFrom: b@partner.example.org")
    listed = head(passed, sender="a@partner.example.org, b@partner.example.org")

    assert [False, False] == [vouching.read(raw, OURS).is_proved for raw in (twice, listed)]


def test_a_mail_is_known_by_its_message_id_or_by_its_bytes() -> None:
    one, again = (vouching.read(head(result), OURS) for result in ("a; none", "b; none"))
    bare = [
        vouching.read(raw, OURS).message_sha256 for raw in (b"From: a@x\r\n\r\n1", b"\r\n\r\n2")
    ]

    assert one.message_sha256 == again.message_sha256
    assert bare[0] != bare[1]
