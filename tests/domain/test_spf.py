"""Who may send for a domain: every rule against records that stand in a dictionary."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from service.domain import spf
from service.domain.spf import RecordError, Tally, Verdict

OURS = "203.0.113.7"
Records = Mapping[tuple[str, str], list[str]]


def judge(records: Records, address: str = OURS, tally: Tally | None = None) -> Verdict:
    """Let the rules ask a dictionary."""
    steps = spf.check(ip_address(address), "example.org", tally or Tally())
    answers: list[str] | None = None
    while True:
        try:
            question = next(steps) if answers is None else steps.send(answers)
        except StopIteration as end:
            return Verdict(end.value)
        answers = list(records.get((question.name, question.kind), []))


def of(text: str, **others: str) -> dict[tuple[str, str], list[str]]:
    """Return the record of example.org, and those of other names: `a_test` is `a.test`."""
    more = {(name.replace("_", "."), "TXT"): [value] for name, value in others.items()}
    return {("example.org", "TXT"): [text], **more}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1 ip4:203.0.113.7 -all", Verdict.PASSES),
        ("v=spf1 ip4:203.0.113.0/24 -all", Verdict.PASSES),
        ("v=spf1 ip4:203.0.112.0/24 -all", Verdict.FAIL),
        ("v=spf1 ip6:2001:db8::/32 ~all", Verdict.SOFTFAIL),
        ("v=spf1 -ip4:203.0.113.7 +all", Verdict.FAIL),
        ("V=SPF1 IP4:203.0.113.7 -ALL", Verdict.PASSES),
        ("v=spf1  ip4:203.0.113.7   -all ", Verdict.PASSES),
        ("v=spf1 ?all", Verdict.NEUTRAL),
        ("v=spf1", Verdict.NEUTRAL),
        ("v=spf1 a -all", Verdict.PASSES),
        ("v=spf1 a:mail.example.org -all", Verdict.PASSES),
        ("v=spf1 a:near.example.org -all", Verdict.FAIL),
        ("v=spf1 a:near.example.org/24 -all", Verdict.PASSES),
        ("v=spf1 mx -all", Verdict.PASSES),
        ("v=spf1 mx:empty.test -all", Verdict.FAIL),
        ("v=spf1 exp=why.example.org mx -all", Verdict.PASSES),
        ("v=spf1 unknown-modifier=x mx -all", Verdict.PASSES),
        ("v=spf10 mx -all", Verdict.NONE),
        ("google-site-verification=x", Verdict.NONE),
    ],
)
def test_the_first_mechanism_that_fits_decides(text: str, expected: Verdict) -> None:
    records = {
        ("example.org", "A"): [OURS],
        ("mail.example.org", "A"): ["203.0.113.9", OURS],
        ("near.example.org", "A"): ["203.0.113.9"],
        ("example.org", "MX"): ["far.example.org", "mail.example.org"],
    }

    assert expected == judge(of(text) | records)


@pytest.mark.parametrize(
    ("included", "expected"),
    [
        ("v=spf1 ip4:203.0.113.7 -all", Verdict.PASSES),
        ("v=spf1 -all", Verdict.SOFTFAIL),
        ("v=spf1 ?ip4:203.0.113.7 -all", Verdict.SOFTFAIL),
    ],
)
def test_an_include_counts_only_when_it_passes(included: str, expected: Verdict) -> None:
    assert expected == judge(of("v=spf1 include:a.test ~all", a_test=included))


def test_a_redirect_decides_when_nothing_fits() -> None:
    records = of("v=spf1 ip4:192.0.2.1 redirect=a.test", a_test="v=spf1 mx:b.test -all")
    records[("b.test", "MX")] = ["host.test"]
    records[("host.test", "A")] = [OURS]

    assert Verdict.PASSES == judge(records)
    assert Verdict.FAIL == judge(records, "203.0.113.8")
    assert Verdict.FAIL == judge(of("v=spf1 -all redirect=a.test", a_test="v=spf1 +all"))


def test_an_address_of_the_newer_kind_asks_for_the_newer_records() -> None:
    records = of("v=spf1 a:h.test//64 -all")
    records[("h.test", "AAAA")] = ["2001:db8:0:1::25"]

    assert Verdict.PASSES == judge(records, "2001:db8:0:1::7")
    assert Verdict.FAIL == judge(records, "2001:db8:0:2::7")


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 ipv4:203.0.113.7 -all",
        "v=spf1 ip4:203.0.113.700 -all",
        "v=spf1 ip4:2001:db8:: -all",
        "v=spf1 ip4 -all",
        "v=spf1 include -all",
        "v=spf1 include: -all",
        "v=spf1 all:x",
        "v=spf1 a/33 -all",
        "v=spf1 a: -all",
        "v=spf1 include:x/24 -all",
        "v=spf1 redirect=a.test redirect=b.test",
        "v=spf1 redirect=",
        "v=spf1 mx, -all",
        "v=spf1 --all",
    ],
)
def test_one_term_against_the_grammar_breaks_the_whole_record(text: str) -> None:
    with pytest.raises(RecordError) as error:
        judge(of(text))

    assert "syntax" == error.value.reason
    assert error.value.term in text


def chain(length: int) -> Records:
    """Return records of which each includes the next."""
    records = {(f"n{n}.test", "TXT"): [f"v=spf1 include:n{n + 1}.test -all"] for n in range(length)}
    first = {("example.org", "TXT"): ["v=spf1 include:n0.test -all"]}
    return records | first | {(f"n{length}.test", "TXT"): [f"v=spf1 ip4:{OURS} -all"]}


def test_ten_lookups_are_read_and_the_eleventh_is_not() -> None:
    tally = Tally()
    verdict = judge(chain(9), tally=tally)
    with pytest.raises(RecordError) as error:
        judge(chain(10))

    assert (Verdict.PASSES, 10) == (verdict, tally.lookups)
    assert ("lookups", "include:n10.test") == (error.value.reason, error.value.term)


def test_a_circle_ends() -> None:
    with pytest.raises(RecordError) as error:
        judge(of("v=spf1 include:a.test", a_test="v=spf1 include:example.org"))

    assert "lookups" == error.value.reason


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (of("v=spf1 include:a.test -all"), "nothing"),
        (of("v=spf1 redirect=a.test"), "nothing"),
        (of("v=spf1 a:x.test a:y.test a:z.test -all"), "void"),
        ({("example.org", "TXT"): ["v=spf1 -all", "v=spf1 mx"]}, "several"),
        (
            of("v=spf1 mx -all") | {("example.org", "MX"): [f"m{n}.test" for n in range(11)]},
            "exchanges",
        ),
    ],
)
def test_receivers_give_up_for_a_reason(records: Records, reason: str) -> None:
    with pytest.raises(RecordError) as error:
        judge(records)

    assert reason == error.value.reason


def test_what_is_not_evaluated_is_counted_and_named() -> None:
    tally = Tally()
    verdict = judge(of("v=spf1 ptr exists:%{i}.x.test a:%{d} -all"), tally=tally)

    assert (Verdict.FAIL, 3) == (verdict, tally.lookups)
    assert ["ptr:example.org", "exists:%{i}.x.test", "a:%{d}"] == tally.unread


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1 mx ~all", f"v=spf1 mx ip4:{OURS} ~all"),
        ("v=spf1 -ALL", f"v=spf1 ip4:{OURS} -ALL"),
        ("v=spf1 redirect=a.test", f"v=spf1 ip4:{OURS} redirect=a.test"),
        ("v=spf1 mx", f"v=spf1 mx ip4:{OURS}"),
    ],
)
def test_an_address_is_added_before_the_end(text: str, expected: str) -> None:
    added = spf.with_address(text, ip_address(OURS))

    assert expected == added
    assert Verdict.PASSES == judge(of(added))
