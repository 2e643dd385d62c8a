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


PASS = "dmarc=pass header.from=partner.example.org"
FAIL = "dmarc=fail header.from=partner.example.org"


@pytest.mark.parametrize(
    "results",
    [
        f'spf=pass smtp.mailfrom="x; {PASS}"@evil.example; {FAIL}',
        f'spf=pass smtp.mailfrom="x; {PASS}"@evil.example',
        f'dkim=pass header.i="a; {PASS}"@evil.example header.s=s;\r\n {FAIL}',
        f'spf=fail reason="; {PASS}"',
        rf'spf=fail reason="\"; {PASS}"',
        f"spf=pass (a (b) ; {PASS} ) smtp.mailfrom=evil.example; {FAIL}",
        rf"spf=pass (a \) ; {PASS} \( ) smtp.mailfrom=evil.example",
        # Where quotes or brackets have no counterpart, nobody knows what is inside.
        f"spf=pass (a) ; {PASS} ); {FAIL}",
        f"spf=pass (a); {PASS}; x=(",
        f'spf=pass reason="a; {PASS}',
        rf"spf=pass reason=a\; {PASS}",
        # A result begins with its method, and there is one of each.
        f"spf=pass smtp.helo=x {PASS}",
        f"{PASS}; {FAIL}",
        f"{PASS}; {PASS}",
        f"dmarc=; {PASS}",
        "dmarc=pass-not header.from=partner.example.org",
        'dmarc="pass" header.from=partner.example.org',
        "dmarc=pass x.header.from=partner.example.org",
        "dmarc=pass header.from=partner.example.org header.from=evil.example",
        'dmarc=pass header.from="x"partner.example.org',
        "dmarc=pass header.from=partner.example.org/evil.example",
    ],
)
def test_what_a_stranger_may_choose_proves_nothing(results: str) -> None:
    assert False is vouching.read(head(f"{OURS}; {results}"), OURS).is_proved


@pytest.mark.parametrize(
    "results",
    [
        f'spf=pass smtp.mailfrom="a;b"@partner.example.org; {PASS}',
        "dmarc=pass (p=NONE sp=REJECT dis=NONE (x)) header.from=partner.example.org",
        "dmarc/1 = pass action=none header . from = partner.example.org; compauth=pass reason=100",
        f'dkim=pass reason="2048-bit (ok" header.d=partner.example.org;\r\n\t{PASS}; arc=none',
        f"spf=pass (x{' (y)' * 2000}) smtp.mailfrom=a@partner.example.org; {PASS}",
    ],
)
def test_what_servers_write_besides_leaves_the_proof_as_it_is(results: str) -> None:
    assert vouching.read(head(f"{OURS} 1; {results}"), OURS).is_proved


def test_below_a_result_that_is_unclear_nothing_counts() -> None:
    raw = head(f"{OURS}; spf=pass reason=(", f"{OURS}; {PASS}")

    assert False is vouching.read(raw, OURS).is_proved


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
