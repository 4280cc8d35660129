"""The security checklist: each line with the tests that prove it, and the lines that no test can prove."""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen
class Line:
    """``tests`` are names as ``file::test``."""

    what: str
    tests: Sequence[str]


TRANSPORT, LIFE, ROW, SESSION = "test_transport", "test_faults_life", "test_row", "test_session"
STRICT = f"{LIFE}::test_the_own_sessions_are_as_strict_as_they_should_be"
PRIVATE, CSV = "test_outbox_private", "test_files_csv"
WORKBOOK, WRITING = "test_files_xlsx_hostile", "test_files_writing"

CHECKLIST: Mapping[str, list[Line]] = {
    "session and connector": [
        Line("a floor and a ceiling for aiohttp", ["test_structure::test_core_dependencies_are_the_five"]),
        Line(
            "no redirect is followed",
            [
                f"{TRANSPORT}::test_a_redirect_is_an_answer_and_its_target_sees_nothing",
                "test_ingest_refused::test_no_redirect_is_followed",
            ],
        ),
        Line(
            "nothing of the environment is trusted",
            [STRICT, f"{TRANSPORT}::test_proxies_and_netrc_of_the_environment_are_ignored"],
        ),
        Line("no cookie is kept", [STRICT, f"{LIFE}::test_two_clients_never_share_cookies"]),
        Line(
            "no error of the library for a status", [STRICT, f"{TRANSPORT}::test_every_complete_answer_comes_back"]
        ),
        Line(
            "the key goes into one header of each request, behind a check of its origin",
            [
                f"{TRANSPORT}::test_the_request_on_the_wire",
                f"{SESSION}::test_a_path_that_would_leave_its_route_is_refused",
                f"{LIFE}::test_behind_the_rule_of_paths_the_origin_is_checked_too",
                "test_auth::test_the_header_holds_the_key_and_its_repr_does_not",
            ],
        ),
        Line("answers are asked for without compression", [f"{TRANSPORT}::test_the_request_on_the_wire"]),
        Line(
            "bodies are read as a stream with a cap",
            [
                f"{TRANSPORT}::test_a_huge_answer_is_cut_off_at_the_cap",
                f"{TRANSPORT}::test_of_a_huge_error_body_the_beginning_is_kept",
                "test_faults_bounds::test_oversize_answers_cost_no_memory",
            ],
        ),
        Line("lines and headers are bounded", [f"{TRANSPORT}::test_garbage_is_never_a_status"]),
        Line(
            "every wait has a limit, cut to the deadline",
            [
                f"{TRANSPORT}::test_a_timeout_without_a_limit_is_refused",
                f"{SESSION}::test_the_timeout_of_each_attempt_is_cut_to_what_is_left",
                f"{TRANSPORT}::test_no_answer_in_time_is_in_doubt_within_the_total",
            ],
        ),
        Line(
            "lead writes use connections of their own, each once",
            [STRICT, "test_ingest_lost::test_a_connection_is_never_used_twice_for_leads"],
        ),
        Line(
            "connections of reads do not outlive the server's",
            [f"{TRANSPORT}::test_a_pooled_connection_that_died_is_not_repeated_either"],
        ),
        Line(
            "TLS is verified, and nothing switches that off",
            [
                STRICT,
                "test_tls::test_a_self_signed_certificate_is_a_tls_error",
                f"{LIFE}::test_no_option_switches_verification_off",
            ],
        ),
        Line("the resolver can be replaced", [f"{TRANSPORT}::test_a_resolver_that_hangs_is_bounded"]),
        # a proxy is configured in the session that a user gives
        Line(
            "no proxy password, digest, multipart or WebSocket of ours",
            ["test_given_session::test_a_given_session_that_carries_auth_is_refused"],
        ),
        Line("no trace that could show headers", [STRICT]),
        Line(
            "bodies are encoded once, and the same bytes go again",
            ["test_ingest_lost::test_after_an_answer_without_proof_the_same_bytes_go_again"],
        ),
        Line("addresses are made of constants and checked ids", ["test_wire::test_no_text_leaves_its_segment"]),
    ],
    "records": [
        Line("strict types on input", ["test_models::test_wrong_scalars_are_refused"]),
        Line("unknown fields: refused in leads", [f"{ROW}::test_what_cannot_be_sent_names_field_and_reason"]),
        Line(
            "unknown fields: kept in answers",
            ["test_models::test_new_fields_are_kept_and_change_neither_equality_nor_repr"],
        ),
        Line(
            "unknown states are kept as text", ["test_enums::test_an_unlisted_value_is_a_member_equal_to_its_text"]
        ),
        Line(
            "errors name path and type, never the value",
            ["test_convert::test_a_wrong_type_is_told_by_path_and_expected_type_only"],
        ),
        Line("only strict UTF-8, no NaN, bounded nesting", ["test_convert::test_decode_refuses"]),
        Line(
            "records are frozen, and no repr shows anything personal",
            [
                "test_models::test_no_repr_shows_anything_personal",
                "test_lead_records::test_no_repr_of_a_lead_shows_anything_personal",
            ],
        ),
    ],
    "tasks": [
        Line(
            "tasks are owned and awaited at the end",
            [
                "test_client::test_nothing_is_left_after_closing",
                "test_faults_cancelled::test_a_caller_may_be_cancelled_at_every_point",
            ],
        ),
        Line(
            "a cancellation always comes through",
            [
                "test_faults_cancelled::test_a_caller_may_be_cancelled_at_every_point",
                "test_faults_cancelled::test_a_read_may_be_cancelled_at_every_point",
            ],
        ),
        Line(
            "the gate is a time written down at once, not a sleep",
            [
                "test_gate::test_cancelled_while_waiting_never_holds_the_gate",
                "test_faults_cancelled::test_the_lane_itself_may_be_cancelled_at_every_point",
            ],
        ),
        Line(
            "process and loop are remembered and compared",
            [
                "test_client::test_another_loop_is_named_before_anything_is_sent",
                "test_client::test_a_forked_child_is_refused_before_any_io_and_the_parent_is_unharmed",
            ],
        ),
        Line(
            "files are read in a thread that may be left alone",
            [
                f"{CSV}::test_waiting_for_a_pipe_can_be_cancelled",
                "test_cli_signals::test_a_signal_ends_the_wait_for_standard_input",
            ],
        ),
    ],
    "secrets and persons": [
        Line("the key is checked", ["test_auth::test_a_hostile_key_is_refused_without_being_shown"]),
        Line("the key is masked everywhere", ["test_reads::test_the_key_is_in_nothing_that_an_error_shows"]),
        Line("the key is never pickled", ["test_auth::test_neither_the_key_nor_its_header_can_be_pickled"]),
        Line(
            "logs hold counts, durations and routes",
            [
                "test_events::test_an_event_is_frozen_and_holds_no_personal_data",
                "test_ingest_secrets::test_no_text_gives_a_canary_away",
            ],
        ),
        Line(
            "text of the server is cleaned, masked and cut",
            ["test_decipher::test_server_text_is_cleaned_masked_and_cut"],
        ),
        Line(
            "errors carry no library frames",
            ["test_session::test_the_key_is_nowhere_even_with_every_library_frame"],
        ),
        Line(
            "an outbox is private to its owner, and purged for good",
            [
                f"{PRIVATE}::test_every_file_is_private",
                f"{PRIVATE}::test_a_file_that_others_may_read_is_made_private",
                f"{PRIVATE}::test_a_purge_leaves_no_phone_and_no_name_behind",
            ],
        ),
    ],
    "input and exports": [
        Line("CSV is read strictly", [f"{CSV}::test_what_is_wrong_names_its_row"]),
        Line(
            "XLSX is read within bounds",
            [
                f"{WORKBOOK}::test_a_part_that_is_packed_too_tightly",
                f"{WORKBOOK}::test_parts_that_are_too_large_together",
                f"{WORKBOOK}::test_too_many_parts",
                f"{WORKBOOK}::test_entities_of_any_kind",
            ],
        ),
        Line(
            "exports are inert",
            [
                f"{WRITING}::test_what_is_guarded_is_inert_and_comes_back",
                f"{WRITING}::test_rejects_have_the_original_cells_and_three_columns_more",
                f"{WRITING}::test_results_as_csv_and_as_json_lines",
            ],
        ),
        Line(
            "leads and their headers are checked",
            [f"{ROW}::test_what_cannot_be_sent_names_field_and_reason"],
        ),
    ],
    "supply and configuration": [
        Line("floors stand in the project file", ["test_structure::test_core_dependencies_are_the_five"]),
        Line(
            "no variable of the environment loosens anything",
            [f"{LIFE}::test_no_variable_of_the_environment_switches_verification_off"],
        ),
    ],
}

WITHOUT_TEST: Mapping[str, str] = {
    "a warning when TLS secrets are written to a file": (
        "Python's own default context reads SSLKEYLOGFILE, for whoever set it on purpose"
    ),
    "an audit against stored advisories": "asks for a list that the project does not ship",
}
