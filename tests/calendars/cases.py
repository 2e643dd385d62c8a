"""The named cases of what calendar programs ask of us: number, name, and where each is tested.

A case of several halves has a row for each. A test begins with the name of its case; where a row
names no file it says why nothing of it is tested.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One row: the file below `tests/` that holds the test, or why there is none yet."""

    number: int
    name: str
    file: str = ""
    why: str = ""


_FEED = "calendars/test_feed.py"
_FRAGMENT = "calendars/test_fragment.py"
_READERS = "calendars/test_readers.py"
_FRESHNESS = "calendars/test_freshness.py"
_ROUND_TRIPS = "calendars/test_round_trips.py"
_ODD_WORDS = "calendars/test_odd_words.py"
_READING = "calendars/test_answer.py"
_SERVED = "web/test_feeds.py"
_HTTP = "web/test_cases_http.py"
_REQUESTING = "service/test_requesting.py"
_ANSWERING = "service/test_answering.py"
_INTAKE = "notifications/test_intake.py"
_LAST = "Acting on it comes last; that it is kept and shown is tested."

CASES = (
    # What feeds hold
    Case(1, "feed_bytes_stable_across_renders_and_replicas", _SERVED),
    Case(2, "feed_has_berlin_vtimezone_rrule_form", _FEED),
    Case(3, "feed_without_events_still_valid", _FEED),
    Case(3, "feed_without_events_still_valid_for_the_readers", _READERS),
    Case(4, "instants_match_db_in_six_readers", _READERS),
    Case(4, "instants_match_db_in_six_readers_by_our_definition_alone", _READERS),
    Case(5, "public_feed_has_no_method_attendee_token_videolink", _FEED),
    Case(6, "public_feed_passes_libical_publish_table", _READERS),
    Case(7, "personal_feed_one_attendee_rsvp_false", _SERVED),
    Case(8, "personal_feed_rsvp_bumps_last_modified_only", _FEED),
    Case(8, "personal_feed_rsvp_bumps_last_modified_only", _SERVED),
    Case(9, "two_edits_in_one_second_have_growing_last_modified", _SERVED),
    Case(9, "two_edits_in_one_second_have_growing_last_modified_for_every_reader", _HTTP),
    Case(10, "tentative_event_prefix_and_busystatus", _FRAGMENT),
    Case(11, "confirm_tentative_increments_sequence_keeps_partstat", _HTTP),
    Case(12, "cancelled_event_kept_14_days_and_gone_with_the_next_month_edge", _SERVED),
    Case(13, "all_day_dtend_exclusive_no_tzid", _FRAGMENT),
    Case(14, "ambiguous_hour_refused_or_utc", _FRAGMENT),
    Case(15, "naive_datetime_refused", "calendars/test_entry.py"),
    Case(16, "fold_umlaut_emoji_boundary", _ROUND_TRIPS),
    Case(17, "escaping_roundtrip", _ROUND_TRIPS),
    Case(18, "control_chars_stripped", _ODD_WORDS),
    Case(19, "injection_summary_location_cn_url", _ODD_WORDS),
    Case(20, "cn_with_quote_comma_colon", _FRAGMENT),
    Case(21, "conference_feature_list_unquoted", _FRAGMENT),
    Case(22, "refresh_interval_has_value_duration_and_equals_ttl", _FEED),
    Case(23, "uid_stable_after_rename_move_domain_change_restore", _SERVED),
    Case(23, "uid_stable_after_rename_move_and_back", _HTTP),
    Case(23, "uid_stable_after_domain_change", _HTTP),
    Case(23, "a_restored_backup_holds_the_same_people", "service/test_backing_up.py"),
    Case(24, "window_month_snap", _FRESHNESS),
    Case(25, "feed_1000_events_below_800kb", _FEED),
    Case(25, "feed_1000_events_below_800kb_or_truncated_where_texts_are_long", _FEED),
    Case(25, "feed_truncated_with_log", "service/test_publishing.py"),
    Case(26, "valarm_absent_unless_opted_in", _FRAGMENT),
    Case(26, "valarm_opted_in_is_display_with_description", _FRAGMENT),
    Case(27, "byte_lint_catches_each_of_25_mutations", "calendars/test_lint.py"),
    # How feeds are answered
    Case(28, "etag_if_none_match_304_weak_list_star", _FRESHNESS),
    Case(28, "if_modified_since_ignored_when_if_none_match_present", _FRESHNESS),
    Case(28, "if_modified_since_alone_gives_304", _FRESHNESS),
    Case(29, "head_equals_get_headers", _SERVED),
    Case(29, "propfind_put_delete_405_with_allow", _SERVED),
    Case(30, "no_content_encoding_even_with_accept_encoding_gzip", _SERVED),
    Case(31, "http_to_https_single_308", _HTTP),
    Case(31, "http_to_https_single_308_of_the_real_nginx", "deploy/test_nginx.py"),
    Case(31, "no_https_to_http_anywhere", "deploy/test_nginx.py"),
    Case(32, "revoked_token_tombstone_then_410", _SERVED),
    Case(32, "unknown_token_404_with_constant_body", _SERVED),
    Case(32, "unknown_token_404_with_constant_work", _SERVED),
    Case(33, "feed_polled_500_times_never_429_or_5xx", _SERVED),
    Case(34, "db_down_serves_last_good_feed_200", _SERVED),
    Case(35, "robots_txt_200_allows_ics", "web/test_public_pages.py"),
    Case(35, "x_robots_noindex_present", _HTTP),
    Case(36, "accept_header_variants", _SERVED),
    Case(37, "content_type_charset_disposition_exact", _SERVED),
    Case(38, "token_not_in_access_log_or_referrer", _HTTP),
    # Invitations
    Case(39, "mime_tree_exact", _REQUESTING),
    Case(40, "request_cancel_pass_libical", _REQUESTING),
    Case(40, "request_contains_only_recipient", _REQUESTING),
    Case(41, "organizer_token_stable_over_update_and_cancel", _REQUESTING),
    Case(41, "request_contains_only_recipient_and_a_token_of_its_own", _REQUESTING),
    Case(42, "uninvite_cancel_has_no_status_and_sequence_plus_one", _REQUESTING),
    Case(43, "major_vs_minor_change_table", _REQUESTING),
    Case(44, "concurrent_edits_two_replicas_unique_sequence", _REQUESTING),
    Case(45, "resend_is_byte_identical", _REQUESTING),
    # Answers
    Case(46, "reply_google_fixture", _ANSWERING),
    Case(47, "reply_outlook_fixture", _ANSWERING),
    Case(48, "reply_apple_thunderbird_korganizer_fixtures", _ANSWERING),
    Case(49, "reply_spoofed_from_without_token", _ANSWERING),
    Case(50, "reply_token_of_alice_attendee_bob", _ANSWERING),
    Case(51, "reply_older_dtstamp_same_seq_ignored", _ANSWERING),
    Case(51, "reply_duplicate_message_idempotent", _ANSWERING),
    Case(52, "reply_before_later_web_click_ignored", _ANSWERING),
    Case(53, "reply_old_sequence_before_reschedule", _ANSWERING),
    Case(53, "reply_old_sequence_but_only_confirmed_since_applied", _ANSWERING),
    Case(54, "reply_sequence_2147483647_and_dtstamp_2099_clamped", _ANSWERING),
    Case(55, "reply_after_cancel_or_end_history_only", _ANSWERING),
    Case(56, "reply_unknown_uid_or_recurrence_id_quarantined", _ANSWERING),
    Case(57, "reply_multiple_attendees_picks_invitee", _READING),
    Case(57, "reply_multiple_attendees_picks_invitee_and_leaves_the_others", _ANSWERING),
    Case(57, "reply_no_attendee_quarantined", _READING),
    Case(58, "reply_vtimezone_bomb_and_poison", _READING),
    Case(59, "reply_body_is_path_string", _READING),
    Case(60, "reply_oversize_nested_20k_attendees", _READING),
    Case(60, "reply_oversize_nested_is_refused_beyond_each_limit_only", _READING),
    Case(60, "reply_oversize_nested_20k_attendees_waits_and_changes_nothing", _ANSWERING),
    Case(61, "reply_charset_latin1_qp_base64_8bit", _READING),
    Case(61, "reply_in_forwarded_message_not_applied", _READING),
    Case(62, "method_mismatch_param_vs_property", _READING),
    Case(63, "counter_stored_not_applied", _ANSWERING),
    Case(63, "counter_stored_not_applied_and_flagged_when_stale", _ANSWERING),
    Case(63, "counter_accepted_or_declined", why=_LAST),
    Case(64, "delegated_reply_is_shown_and_changes_nothing", _ANSWERING),
    Case(64, "delegated_reply_creates_substitute_pending", why=_LAST),
    Case(65, "sent_by_assistant_recorded", _ANSWERING),
    Case(65, "sent_by_assistant_recorded_but_not_believed_where_unregistered", _ANSWERING),
    Case(66, "dsn_failed_marks_undeliverable", _INTAKE),
    Case(66, "out_of_office_ignored", _INTAKE),
    Case(66, "human_reply_without_ics_forwarded", "service/test_forwarding.py"),
    Case(67, "refresh_resends_to_stored_address_only", _ANSWERING),
    Case(68, "partstat_unknown_value_is_needs_action", _READING),
    Case(68, "party_crasher_never_auto_added", _ANSWERING),
)
