"""Keys and policies as receivers read them."""

import base64
import subprocess

import pytest

from service.domain import mail_records
from service.domain.mail_records import Key, Policy, UnreadableError


def rsa_key(bits: int, form: str = "-pubout") -> str:
    """Let OpenSSL make a key; return its public half as a record has it."""
    private = subprocess.run(["openssl", "genrsa", str(bits)], check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "rsa", form, "-outform", "DER"],
        input=private.stdout,
        check=True,
        capture_output=True,
    )
    return base64.b64encode(public.stdout).decode()


@pytest.mark.parametrize("form", ["-pubout", "-RSAPublicKey_out"])
@pytest.mark.parametrize("bits", [768, 1024, 2048])
def test_the_size_of_a_real_key_is_read(bits: int, form: str) -> None:
    assert Key("rsa", bits) == mail_records.read_key(f"v=DKIM1; k=rsa; p={rsa_key(bits, form)}")


def test_a_key_may_be_folded_and_say_that_it_is_a_trial() -> None:
    content = rsa_key(1024)
    folded = f"p={content[:60]} {content[60:]} ; t=y:s"

    assert Key("rsa", 1024, is_testing=True) == mail_records.read_key(folded)


def test_a_withdrawn_key_has_no_bits() -> None:
    assert Key("rsa", 0) == mail_records.read_key("v=DKIM1; p=")


def test_a_key_of_the_newer_kind_is_known() -> None:
    content = base64.b64encode(bytes(32)).decode()

    assert Key("ed25519", 256) == mail_records.read_key(f"v=DKIM1; k=ed25519; p={content}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=DKIM1; k=rsa",
        "v=DKIM2; p=",
        "p=====",
        "p=äöü",
        "p=AAAA",
        "p=MA==",
        "p=MIIBIjANBgkq",
        "k=dsa; p=AAAA",
        "p=; p=",
        "v=DKIM1; words without a sign",
    ],
)
def test_a_broken_key_is_named_as_such(text: str) -> None:
    with pytest.raises(UnreadableError):
        mail_records.read_key(text)


def test_a_policy_is_read_with_its_usual_values() -> None:
    full = "v=DMARC1;p=Reject; sp=none; adkim=s; aspf=s; rua=mailto:a@example.org; pct=50;"

    assert Policy("none", "none") == mail_records.read_policy("v=DMARC1; p=none")
    assert Policy(
        "reject", "none", True, True, "mailto:a@example.org", 50
    ) == mail_records.read_policy(full)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=DMARC1; p=none; aspf=s", "v=DMARC1; p=quarantine; aspf=s"),
        (
            "v=DMARC1;p=reject;pct=20;rua=mailto:a@b.test;",
            "v=DMARC1; p=reject; rua=mailto:a@b.test",
        ),
    ],
)
def test_a_stricter_policy_keeps_all_else(text: str, expected: str) -> None:
    assert expected == mail_records.stricter(text)


@pytest.mark.parametrize("text", ["v=DMARC1", "v=DMARC1; p=maybe", "v=DMARC1; p=none; pct=all"])
def test_a_broken_policy_is_named_as_such(text: str) -> None:
    with pytest.raises(UnreadableError):
        mail_records.read_policy(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v=DMARC1; p=none", True), ("v=DMARC1", True), ("v=DMARC10; p=none", False), ("x", False)],
)
def test_only_records_of_this_version_are_policies(text: str, *, expected: bool) -> None:
    assert expected == mail_records.is_policy(text)


@pytest.mark.parametrize(
    ("sender", "envelope", "strict", "expected"),
    [
        ("example.org", "example.org", True, True),
        ("example.org", "rueck.example.org", True, False),
        ("example.org", "rueck.example.org", False, True),
        ("termine.example.org", "rueck.example.org", False, True),
        ("termine.example.org", "example.org", False, True),
        ("example.org", "notexample.org", False, False),
        ("example.org", "provider.test", False, False),
    ],
)
def test_domains_belong_together_within_one_organisation(
    sender: str, envelope: str, *, strict: bool, expected: bool
) -> None:
    assert expected == mail_records.is_aligned(sender, envelope, "example.org", strict=strict)


def test_a_policy_is_looked_for_up_to_two_labels() -> None:
    assert ["a.b.example.org", "b.example.org", "example.org"] == mail_records.parents(
        "a.b.example.org"
    )
    assert ["example.org"] == mail_records.parents("example.org")
