"""The named cases of what our feeds must do for real programs: each has its test."""

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
# A case is tested by each function whose name begins with it.
CASES = {
    1: ("feed_bytes_stable_across_renders_and_replicas",),
    2: ("feed_has_berlin_vtimezone_rrule_form",),
    3: ("feed_without_events_still_valid",),
    5: ("public_feed_has_no_method_attendee_token_videolink",),
    7: ("personal_feed_one_attendee_rsvp_false",),
    8: ("personal_feed_rsvp_bumps_last_modified_only",),
    9: ("two_edits_in_one_second_have_growing_last_modified",),
    10: ("tentative_event_prefix_and_busystatus",),
    11: ("confirm_tentative_increments_sequence_keeps_partstat",),
    12: ("cancelled_event_kept_14_days_and_gone_with_the_next_month_edge",),
    13: ("all_day_dtend_exclusive_no_tzid",),
    14: ("ambiguous_hour_refused_or_utc",),
    15: ("naive_datetime_refused",),
    18: ("control_chars_stripped",),
    19: ("injection_summary_location_cn_url",),
    20: ("cn_with_quote_comma_colon",),
    21: ("conference_feature_list_unquoted",),
    22: ("refresh_interval_has_value_duration_and_equals_ttl",),
    23: ("uid_stable_after_rename_move_domain_change_restore",),
    24: ("window_month_snap",),
    25: ("feed_1000_events_below_800kb", "feed_truncated_with_log"),
    26: ("valarm_absent_unless_opted_in",),
    28: ("etag_if_none_match_304_weak_list_star", "if_modified_since_alone_gives_304"),
    29: ("head_equals_get_headers", "propfind_put_delete_405_with_allow"),
    30: ("no_content_encoding_even_with_accept_encoding_gzip",),
    31: ("http_to_https_single_308",),
    32: ("revoked_token_tombstone_then_410", "unknown_token_404"),
    33: ("feed_polled_500_times_never_429_or_5xx",),
    34: ("db_down_serves_last_good_feed_200",),
    35: ("robots_txt_200_allows_ics", "x_robots_noindex_present"),
    36: ("accept_header_variants",),
    37: ("content_type_charset_disposition_exact",),
    38: ("token_not_in_access_log_or_referrer",),
}


@cache
def _names() -> tuple[str, ...]:
    found: list[str] = []
    for folder in ("calendars", "service", "web"):
        for path in (TESTS / folder).glob("test_*.py"):
            found += re.findall(r"^(?:async )?def test_(\w+)", path.read_text(), re.MULTILINE)
    return tuple(found)


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_test(case: int) -> None:
    missing = [name for name in CASES[case] if not any(each.startswith(name) for each in _names())]

    assert [] == missing
