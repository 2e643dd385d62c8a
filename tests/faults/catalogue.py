"""Where each fault of the design is played, by its number there; a test holds this table true.

Numbers follow the list of faults in the design of the mail part. A fault may be played in several
tests; those that stand beside what they are about are not repeated here. `MISSING` says which
outcomes nobody plays yet, and why.
"""

_KILLS = "tests/faults/test_kills.py"
_RELAYS = "tests/faults/test_relays.py"
_DATABASES = "tests/faults/test_databases.py"
_POSTMAN = "tests/notifications/test_postman.py"
_RELAY = "tests/notifications/test_relay.py"
_PAUSES = "tests/notifications/test_pauses.py"
_INTAKE = "tests/notifications/test_intake.py"
_LISTENING = "tests/notifications/test_listening.py"
_REMINDING = "tests/service/test_reminding.py"
_SCHEDULING = "tests/service/test_scheduling.py"

_EXPANSION = f"{_KILLS}::test_3_a_kill_while_a_notice_becomes_200_letters_leaves_all_or_none"

WHERE: dict[int, tuple[str, ...]] = {
    1: (_EXPANSION,),
    2: (_EXPANSION,),
    3: (
        _EXPANSION,
        f"{_REMINDING}::test_a_slot_that_is_expanded_again_after_a_crash_writes_nothing_new",
    ),
    4: (f"{_KILLS}::test_4_a_kill_after_the_claim_sends_once_after_the_lease",),
    5: (f"{_KILLS}::test_5_a_kill_after_rcpt_before_the_mark_sends_once",),
    6: (f"{_KILLS}::test_6_a_kill_after_the_mark_is_unclear_and_sent_once_after_the_hold",),
    7: (
        f"{_KILLS}::test_7_a_kill_after_the_dot_gives_one_copy_at_most_and_the_same_bytes",
        f"{_INTAKE}::test_each_kind_says_something_else_about_an_unclear_letter",
    ),
    8: (f"{_KILLS}::test_8_a_kill_between_the_reply_and_the_commit_gives_one_copy_at_most",),
    9: (f"{_KILLS}::test_9_asked_to_stop_letters_in_flight_finish_and_the_rest_is_released",),
    10: (
        (
            f"{_KILLS}::"
            "test_10_frozen_after_the_claim_another_worker_sends_and_the_late_mark_is_refused"
        ),
    ),
    11: (f"{_KILLS}::test_11_frozen_after_the_mark_the_late_end_is_accepted_and_no_copy_leaves",),
    12: (f"{_KILLS}::test_12_several_workers_send_each_letter_once_and_in_order",),
    13: (
        f"{_RELAYS}::test_13_a_lost_final_reply_is_held_sent_once_more_then_dead",
        f"{_KILLS}::test_13_with_smtp_sink_that_hangs_up_after_the_dot",
    ),
    14: (f"{_RELAYS}::test_14_a_greylisting_server_is_asked_again_later_and_nobody_is_blamed",),
    15: (f"{_RELAYS}::test_15_an_unknown_address_is_failed_blamed_and_not_tried_again",),
    16: (f"{_RELAYS}::test_16_a_refusal_for_policy_is_failed_with_an_alarm_and_blames_nobody",),
    17: (f"{_RELAYS}::test_17_a_letter_that_is_too_large_fails_alone",),
    18: (
        f"{_RELAY}::test_a_wrong_password_is_tried_once",
        f"{_PAUSES}::test_a_relay_that_refuses_us_is_asked_once_a_pause",
    ),
    19: (
        (
            f"{_RELAYS}::"
            "test_19_a_relay_that_is_away_burns_no_attempt_and_what_is_past_its_time_expires"
        ),
    ),
    20: (
        (
            f"{_RELAYS}::"
            "test_20_a_server_that_closes_in_the_middle_gets_the_rest_over_a_fresh_connection"
        ),
    ),
    21: (f"{_RELAYS}::test_21_slow_greetings_and_replies_are_waited_for_as_long_as_each_deserves",),
    22: (
        (
            f"{_RELAYS}::"
            "test_22_cut_after_some_bytes_it_is_sent_in_the_end_and_only_once_before_the_dot"
        ),
        f"{_RELAYS}::test_22_cut_on_the_way_back_it_is_never_called_sent_without_a_reply",
    ),
    23: (
        f"{_RELAYS}::test_23_a_reset_connection_follows_the_same_rules",
        f"{_RELAYS}::test_23_a_half_open_connection_hangs_no_longer_than_its_limit",
    ),
    24: (
        f"{_RELAYS}::test_24_a_malformed_reply_costs_the_connection_and_no_letter",
        f"{_RELAYS}::test_24_odd_bytes_in_a_refusal_are_stored_as_one_clean_line",
    ),
    25: (
        f"{_RELAY}::test_stripped_starttls_sends_no_password",
        f"{_RELAY}::test_a_certificate_that_nobody_vouches_for_gets_no_password",
    ),
    26: (
        f"{_KILLS}::test_26_a_slow_server_and_a_stop_never_mispair_replies",
        f"{_RELAY}::test_a_cancelled_transfer_closes_the_connection",
        f"{_POSTMAN}::test_replies_are_never_paired_with_another_letter",
    ),
    27: (
        f"{_DATABASES}::test_27_a_database_that_restarts_costs_no_letter_and_no_worker",
        f"{_DATABASES}::test_27_a_database_that_restarts_while_idle_or_expanding_costs_no_letter",
    ),
    28: (
        f"{_DATABASES}::test_28_while_the_database_is_away_readiness_says_so_and_nothing_is_lost",
    ),
    30: (
        (
            "tests/service/test_backing_up.py::"
            "test_a_restored_backup_holds_the_same_people_and_mails_nobody"
        ),
        (
            "tests/service/test_holding_back.py::"
            "test_what_left_since_the_backup_leaves_again_only_when_it_is_released"
        ),
        (
            "tests/web/test_mail_log.py::"
            "test_letters_held_after_a_restore_are_released_one_by_one_or_all"
        ),
    ),
    31: (
        (
            "tests/faults/test_clocks.py::"
            "test_31_a_clock_that_steps_stops_no_tick_and_sends_nothing_early_or_twice"
        ),
        (
            "tests/service/test_clock.py::"
            "test_a_tick_gets_the_databases_time_from_a_worker_whose_clock_is_wrong"
        ),
    ),
    32: (
        f"{_REMINDING}::test_nine_oclock_stays_nine_oclock_over_a_change_of_the_clocks",
        "tests/domain/test_instants.py::test_a_time_in_the_gap_is_shown_an_hour_later",
        "tests/domain/test_instants.py::test_the_missing_and_the_repeated_hour_are_told_apart",
    ),
    33: (
        f"{_SCHEDULING}::test_moving_twice_is_one_notice_that_still_knows_the_first_date",
        f"{_SCHEDULING}::test_moving_there_and_back_tells_nobody",
        f"{_REMINDING}::test_a_move_plans_anew_and_what_was_planned_is_cancelled",
    ),
    34: (
        (
            "tests/faults/test_cancelling.py::"
            "test_34_cancelled_while_a_reminder_waits_leaves_or_is_unclear"
        ),
        (
            "tests/service/test_noticing.py::"
            "test_a_letter_of_a_cancelled_session_that_has_not_left_is_taken_back"
        ),
        f"{_POSTMAN}::test_letters_of_one_order_leave_in_that_order",
        f"{_POSTMAN}::test_a_move_waits_twenty_minutes_for_an_elder_whose_delivery_is_unclear",
    ),
    35: (
        (
            "tests/web/test_changed_minds.py::"
            "test_35_an_answer_between_the_writing_and_the_leaving_of_a_nudge_spares_it"
        ),
        "tests/service/test_judging.py::test_a_letter_leaves_only_while_it_is_true",
    ),
    36: (
        (
            "tests/web/test_preferences.py::"
            "test_one_click_takes_one_kind_off_without_cookie_form_token_or_origin"
        ),
        (
            "tests/web/test_changed_minds.py::"
            "test_36_one_click_keeps_back_what_waits_of_a_kind_and_no_cancellation"
        ),
        "tests/service/test_judging.py::test_a_letter_leaves_only_while_it_is_true",
    ),
    37: (
        (
            "tests/end_to_end/test_scanners.py::"
            "test_fetching_every_link_of_every_letter_changes_nothing"
        ),
        (
            "tests/end_to_end/test_scanners.py::"
            "test_37_a_browser_that_runs_scripts_and_presses_nothing_changes_nothing"
        ),
        "tests/web/test_replies.py::test_no_choice_is_an_error_above_the_form",
        "tests/web/test_replies.py::test_scanners_may_fetch_every_link_without_changing_a_row",
    ),
    38: (
        f"{_REMINDING}::test_a_day_based_slot_that_is_due_with_the_invitation_is_left_to_it",
        f"{_REMINDING}::test_after_a_standstill_only_the_newest_reminder_leaves",
    ),
    39: (
        (
            "tests/notifications/test_headers.py::"
            "test_a_hostile_title_stays_one_subject_and_reads_the_same"
        ),
        "tests/notifications/test_headers.py::test_a_hostile_name_stays_one_mailbox",
        "tests/service/test_composing.py::test_every_kind_passes_the_gate_and_a_real_mail_server",
    ),
    40: (
        (
            "tests/faults/test_signatures.py::"
            "test_40_what_a_relay_signed_is_true_behind_postfix_and_covers_both_headers"
        ),
        (
            "tests/faults/test_signatures.py::"
            "test_40_a_change_of_either_unsubscribe_header_breaks_the_signature"
        ),
    ),
    41: (f"{_POSTMAN}::test_one_unwritable_letter_of_a_hundred_is_dead_after_three_tries",),
    42: (
        (
            "tests/notifications/test_bounces.py::"
            "test_a_report_of_any_server_names_its_letter_and_its_address"
        ),
        f"{_INTAKE}::test_the_same_report_twice_is_one_event",
        f"{_INTAKE}::test_a_forged_return_address_names_no_letter",
    ),
    43: (
        (
            f"{_LISTENING}::"
            "test_a_server_that_hangs_up_too_early_hands_over_again_and_there_is_one_event"
        ),
        f"{_LISTENING}::test_while_the_database_is_away_the_server_is_asked_to_come_again",
    ),
    44: (f"{_INTAKE}::test_out_of_office_ignored_and_leaves_no_words",),
    45: (
        (f"{_PAUSES}::test_45_two_postmen_never_open_more_connections_than_the_relay_has_slots"),
        (f"{_PAUSES}::test_a_server_that_has_fewer_connections_than_it_was_said_gets_all_letters"),
    ),
    46: (
        (
            "tests/service/test_jobs.py::"
            "test_a_failing_tick_is_noted_and_runs_again_and_stops_no_other"
        ),
        "tests/service/test_jobs.py::test_runs_of_one_tick_never_overlap",
        "tests/service/test_jobs.py::test_a_tick_that_hangs_keeps_no_other_from_its_turn",
        "tests/service/test_looking_after.py::test_ticks_are_judged_by_their_last_runs",
    ),
    47: (
        (
            "tests/web/test_left_open.py::"
            "test_47_after_every_route_was_called_a_tick_finds_no_transaction"
        ),
        "tests/service/test_jobs.py::test_a_tick_inherits_no_transaction",
        "tests/service/test_database.py::test_a_fresh_context_inherits_no_unit",
    ),
    48: (
        (
            "tests/service/test_digesting.py::"
            "test_who_asked_for_it_gets_one_letter_a_week_whoever_asks_how_often"
        ),
        "tests/service/test_digesting.py::test_a_restart_after_the_hour_misses_nobody",
    ),
    49: (
        (
            "tests/faults/test_clocks.py::"
            "test_49_a_zone_with_other_rules_moves_what_comes_and_leaves_what_was"
        ),
        (
            "tests/service/test_following_zones.py::"
            "test_a_coming_session_keeps_its_wall_time_and_its_instants_follow_the_zone"
        ),
    ),
    50: ("tests/faults/test_soak.py::test_50_a_short_storm_of_everything_leaves_a_true_history",),
}

MISSING: dict[int, str] = {
    29: "about SQLite, which is not used",
}

_FAR = "tests/faults/test_far_databases.py"
# Where no small file system may be mounted, these two are skipped.
_FULL = "tests/faults/test_full_disks.py"
_SOAK = "tests/faults/test_soak.py"
_PAGES = "tests/faults/test_web_kills.py"
_RACES = "tests/faults/test_races.py"

PROMISED: dict[str, tuple[str, ...]] = {
    "F1": (
        f"{_KILLS}::test_a_kill_at_any_other_point_loses_nothing",
        f"{_KILLS}::test_a_kill_in_the_drain_loses_nothing",
    ),
    "F2": (
        (
            f"{_PAGES}::"
            "test_f2_killed_while_it_writes_nothing_stands_and_the_next_press_does_it_once"
        ),
        f"{_PAGES}::test_f2_killed_before_its_reply_is_heard_the_next_press_changes_nothing",
    ),
    "F3": (
        "tests/faults/test_random_kills.py::test_f3_kills_at_random_moments_lose_no_letter",
        f"{_SOAK}::test_f3_pages_and_workers_die_at_random_and_everything_promised_stands",
    ),
    "F4": (
        f"{_DATABASES}::test_27_a_database_that_restarts_costs_no_letter_and_no_worker",
        f"{_DATABASES}::test_28_while_the_database_is_away_readiness_says_so_and_nothing_is_lost",
        f"{_DATABASES}::test_a_connection_that_heard_goodbye_and_no_end_is_cut_and_replaced",
        f"{_SOAK}::test_people_at_work_lose_nothing_while_pages_database_and_worker_die",
    ),
    "F5": (
        (
            "tests/service/test_database.py::"
            "test_twenty_failing_commits_leave_the_pool_full_and_the_task_free"
        ),
    ),
    "F6": (
        f"{_RELAY}::test_a_certificate_that_nobody_vouches_for_gets_no_password",
        f"{_RELAYS}::test_14_a_greylisting_server_is_asked_again_later_and_nobody_is_blamed",
        f"{_RELAYS}::test_23_a_half_open_connection_hangs_no_longer_than_its_limit",
        f"{_RELAY}::test_stripped_starttls_sends_no_password",
    ),
    "F7": (
        f"{_FULL}::test_f7_a_disk_without_room_for_rows_costs_no_letter_and_no_process",
        f"{_FULL}::test_f7_a_disk_without_room_to_write_ahead_costs_no_letter",
    ),
    "F8": (
        (
            "tests/faults/test_clocks.py::"
            "test_31_a_clock_that_steps_stops_no_tick_and_sends_nothing_early_or_twice"
        ),
        f"{_REMINDING}::test_nine_oclock_stays_nine_oclock_over_a_change_of_the_clocks",
    ),
    "F9": (
        f"{_RACES}::test_f9_two_replicas_never_number_two_sessions_alike",
        f"{_RACES}::test_f9_the_last_seat_goes_to_one_of_two",
        f"{_RACES}::test_f9_the_same_tick_on_two_replicas_writes_each_letter_once",
        f"{_RACES}::test_f9_of_two_replicas_one_migrates_and_the_other_waits",
        (
            "tests/faults/test_starting.py::"
            "test_f9_replicas_that_start_together_on_an_empty_database_make_everything_once"
        ),
    ),
    "F10": (f"{_KILLS}::test_9_asked_to_stop_letters_in_flight_finish_and_the_rest_is_released",),
    "F11": (
        f"{_FAR}::test_f11_a_slow_way_costs_time_and_no_letter",
        f"{_FAR}::test_f11_cut_again_and_again_it_goes_on_and_no_connections_pile_up",
        f"{_FAR}::test_f11_a_connection_that_went_dead_without_a_word_holds_nobody_up",
    ),
    "F12": (
        f"{_POSTMAN}::test_one_unwritable_letter_of_a_hundred_is_dead_after_three_tries",
        f"{_POSTMAN}::test_an_odd_address_never_reaches_the_server",
    ),
}
"""The faults of the promises, by their number there.

Many are played once here, or in short; as often as it was promised `make faults` plays them.
"""

UNPROMISED: dict[str, str] = {}
