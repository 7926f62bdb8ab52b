//! Every setting beside the test that sees it act: on the wire, in a file, in what the system says of
//! the process. A setting that is parsed, printed and forgotten makes its test fail; one without a test
//! makes this one fail.

use std::collections::BTreeSet;

use crate::support::cited;

#[test]
fn every_setting_has_a_test_that_sees_it_act() {
    let registered =
        [include_str!("../../docs/configuration.md"), include_str!("../../docs/signer.md")];
    let registered: BTreeSet<_> = registered.into_iter().flat_map(settings).collect();
    assert!(registered.len() >= 120, "only {} settings were found", registered.len());
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (table, rows) in SEEN {
        for (setting, test) in *rows {
            assert!(seen.insert(format!("{table}.{setting}")), "{table}.{setting} stands twice");
            wrong.extend(cited::test(test).err());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let difference: Vec<_> = registered.symmetric_difference(&seen).collect();
    assert!(difference.is_empty(), "without a test, or without a row: {difference:#?}");
}

/// The rows of a document that is written from the registry, as `table.setting`.
fn settings(document: &str) -> Vec<String> {
    let (mut table, mut found) = (String::new(), Vec::new());
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            // A kind of store has a table of its own.
            table = title.replace(['[', ']', '"'], "").replace(" with kind = ", ".");
        } else if let Some((name, _)) = line.strip_prefix("| `").and_then(|row| row.split_once('`'))
        {
            found.push(format!("{table}.{name}"));
        }
    }
    found
}

type Rows = &'static [(&'static str, &'static str)];

const SEEN: &[(&str, Rows)] = &[
    (
        "listen",
        &[
            ("forward", "gateway::a_port_that_is_taken_comes_with_the_line_to_write"),
            ("gateway", "gateway::sockets_of_the_gateway_and_admin_are_their_owners_alone"),
            ("admin", "gateway::sockets_of_the_gateway_and_admin_are_their_owners_alone"),
            (
                "user",
                "exec::strangers::who_holds_the_admin_port_is_not_believed_unless_it_is_whom_we_know",
            ),
        ],
    ),
    (
        "inspect",
        &[
            ("keep", "why::the_last_requests_are_told_with_what_was_signed"),
            ("bodies", "why::bodies_are_held_where_the_configuration_says_so"),
        ],
    ),
    (
        "access",
        &[
            ("metrics_tokens", "access::a_token_for_metrics_shows_them_and_opens_nothing_else"),
            ("tokens", "access::a_token_is_taken_in_every_form_and_goes_no_further"),
            (
                "users",
                "access::users::another_user_is_served_where_it_is_named_and_told_how_where_it_is_not",
            ),
            ("from", "access::an_address_that_is_not_allowed_is_refused_everywhere"),
            ("origins", "gateway::web_pages_of_other_origins_cannot_have_requests_signed"),
            ("hosts", "gateway::a_request_that_names_another_host_is_refused"),
            ("unrouted", "passing::a_host_without_a_route_is_passed_on_unsigned_or_refused"),
            (
                "pass_private",
                "private::networks_that_are_named_are_reached_and_no_others_also_after_a_reload",
            ),
        ],
    ),
    (
        "intercept",
        &[
            ("ca_cert", "intercept::curl_is_signed_for_inside_tls_in_both_versions_of_http"),
            ("ca_key", "intercept::curl_is_signed_for_inside_tls_in_both_versions_of_http"),
            ("leaf_lifetime", "wiring::seen::a_leaf_lives_as_long_as_is_written"),
            ("leaf_cache", "wiring::seen::as_many_leaves_are_kept_as_is_written"),
        ],
    ),
    (
        "limits",
        &[
            ("signed_body", "bodies::a_body_of_the_limit_is_signed_and_one_byte_more_is_refused"),
            (
                "held_bodies",
                "availability::held::a_body_that_the_budget_has_no_room_for_is_refused_before_it_is_read",
            ),
            ("connections", "lifecycle::a_connection_beyond_the_limit_waits_for_another_to_close"),
            (
                "unauthenticated",
                "availability::strangers::the_oldest_goes_where_one_address_has_too_many",
            ),
            (
                "tunnels",
                "websocket::a_socket_beyond_the_limit_is_refused_before_the_provider_hears_of_it",
            ),
            ("header", "lifecycle::a_head_beyond_the_limit_is_refused"),
        ],
    ),
    (
        "timeouts",
        &[
            ("request_head", "wiring::deadlines::what_is_shorter_than_by_itself_is_over_before"),
            ("request_body", "wiring::deadlines::what_is_shorter_than_by_itself_is_over_before"),
            ("body_idle", "streaming::a_streamed_body_that_stands_still_never_looks_complete"),
            ("tunnel_idle", "passing::a_tunnel_without_a_byte_for_too_long_is_ended_on_both_sides"),
            ("sign", "stores::vault::answers_that_are_no_signatures_are_told_apart"),
            (
                "log",
                "log::a_log_that_nobody_reads_stops_signing_and_no_request_that_was_sent_is_missing_in_it",
            ),
            ("connect", "wiring::deadlines::what_is_shorter_than_by_itself_is_over_before"),
            ("response_head", "nonces::whose_turn_does_not_come_is_refused_and_sends_nothing"),
            ("pool_idle", "wiring::an_unused_upstream_connection_is_closed_in_time"),
            (
                "client_idle",
                "connections::idle::a_client_that_stays_silent_between_requests_is_let_go",
            ),
            ("drain_linger", "wiring::deadlines::a_stop_takes_new_requests_as_long_as_is_written"),
            (
                "drain",
                "wiring::deadlines::a_stop_waits_for_what_is_under_way_as_long_as_is_written",
            ),
        ],
    ),
    (
        "nonces",
        &[
            ("replica", "wiring::a_replica_takes_its_nonces_from_its_share_of_each_millisecond"),
            ("state", "nonces::a_named_state_that_others_may_write_stops_the_start"),
        ],
    ),
    (
        "shared",
        &[
            ("redis", "shared::faults::a_stop_gives_the_lane_back_with_its_last_millisecond"),
            ("ca", "shared::reached::over_tls_as_a_user_with_the_least_rights"),
            ("user", "shared::reached::over_tls_as_a_user_with_the_least_rights"),
            ("password", "shared::reached::over_tls_as_a_user_with_the_least_rights"),
            ("sentinel", "shared::reached::by_sentinel_and_in_a_cluster"),
            ("sentinel_user", "shared::reached::sentinels_are_shown_a_password_of_their_own"),
            ("sentinel_password", "shared::reached::sentinels_are_shown_a_password_of_their_own"),
            ("cluster", "shared::reached::by_sentinel_and_in_a_cluster"),
            ("replicas", "shared::waiting::what_no_replica_has_is_not_used"),
        ],
    ),
    (
        "signing",
        &[(
            "self_check",
            "self_check::a_signature_over_something_else_leaves_unless_signatures_are_checked",
        )],
    ),
    ("stores.NAME", &[("kind", "stores::contract::env")]),
    ("stores.NAME.env", &[("prefix", "stores::contract::env")]),
    (
        "stores.NAME.file",
        &[
            ("dir", "stores::contract::file"),
            (
                "passphrase_env",
                "wiring::seen::a_stores_passphrase_is_in_the_variable_that_is_written",
            ),
        ],
    ),
    (
        "stores.NAME.exec",
        &[
            ("command", "stores::contract::exec"),
            (
                "timeout",
                "stores::exec::a_command_that_takes_too_long_ends_with_all_that_it_started",
            ),
        ],
    ),
    (
        "stores.NAME.ssh_agent",
        &[(
            "socket",
            "stores::agent::an_agents_user_is_asked_once_for_a_load_and_once_for_a_signature",
        )],
    ),
    (
        "stores.NAME.pkcs11",
        &[
            ("module", "stores::contract::pkcs11"),
            ("token", "stores::pkcs11::a_token_is_known_by_its_label_and_its_serial_number"),
            ("serial", "stores::pkcs11::a_token_is_known_by_its_label_and_its_serial_number"),
            ("pin", "stores::contract::pkcs11"),
        ],
    ),
    (
        "stores.NAME.remote",
        &[
            ("url", "stores::contract::remote_at_a_socket"),
            ("ca", "stores::contract::remote_in_mutual_tls"),
            ("cert", "stores::contract::remote_in_mutual_tls"),
            ("key", "stores::contract::remote_in_mutual_tls"),
        ],
    ),
    (
        "stores.NAME.vault",
        &[
            ("address", "stores::vault::a_token_that_is_written_anew_is_read_again"),
            (
                "mount",
                "stores::vault::a_vault_is_asked_where_it_is_mounted_and_for_as_long_as_is_written",
            ),
            ("namespace", "stores::vault::logins_are_renewed_and_made_anew"),
            ("ca", "stores::vault::a_vault_is_believed_by_its_authority_alone"),
            (
                "timeout",
                "stores::vault::a_vault_is_asked_where_it_is_mounted_and_for_as_long_as_is_written",
            ),
            ("token", "stores::vault::a_token_that_is_written_anew_is_read_again"),
            ("role_id", "stores::vault::logins_are_renewed_and_made_anew"),
            ("secret_id", "stores::vault::logins_are_renewed_and_made_anew"),
            ("kubernetes_role", "stores::vault::logins_are_renewed_and_made_anew"),
            ("jwt", "stores::vault::logins_are_renewed_and_made_anew"),
            ("login_mount", "stores::vault::logins_are_renewed_and_made_anew"),
        ],
    ),
    (
        "stores.NAME.aws_kms",
        &[
            ("region", "stores::contract::aws_kms"),
            (
                "profile",
                "stores::kms::a_kms_is_asked_where_with_whose_credentials_and_for_as_long_as_is_written",
            ),
            (
                "endpoint",
                "stores::kms::a_kms_is_asked_where_with_whose_credentials_and_for_as_long_as_is_written",
            ),
            (
                "timeout",
                "stores::kms::a_kms_is_asked_where_with_whose_credentials_and_for_as_long_as_is_written",
            ),
        ],
    ),
    (
        "keys.NAME",
        &[
            ("store", "stores::contract::env"),
            ("entry", "stores::contract::file"),
            ("algorithm", "stores::contract::file"),
            ("encoding", "wiring::seen::a_key_is_decoded_as_is_written"),
            ("public", "stores::contract::file"),
        ],
    ),
    (
        "secrets.NAME",
        &[
            ("store", "access::a_token_is_taken_in_every_form_and_goes_no_further"),
            ("entry", "access::a_token_is_taken_in_every_form_and_goes_no_further"),
            (
                "watch",
                "infras::renewal::a_watched_token_is_taken_up_when_it_changes_and_refused_while_it_is_bad",
            ),
        ],
    ),
    ("schemes.NAME", &[("file", "declared::curl_needs_no_change_for_headers_query_form_and_json")]),
    (
        "routes.NAME",
        &[
            (
                "host",
                "gateway::a_route_for_many_hosts_sends_the_one_that_was_asked_for_and_never_another",
            ),
            ("path", "gateway::what_a_route_leaves_out_is_refused_by_both_listeners"),
            ("methods", "gateway::what_a_route_leaves_out_is_refused_by_both_listeners"),
            ("scheme", "absolute_form::targets_reach_the_provider_byte_for_byte_and_signed"),
            ("keys", "absolute_form::targets_reach_the_provider_byte_for_byte_and_signed"),
            ("secrets", "rotation::what_belongs_to_the_next_key_goes_with_it"),
            ("params", "rotation::what_belongs_to_the_next_key_goes_with_it"),
            ("upstream", "absolute_form::targets_reach_the_provider_byte_for_byte_and_signed"),
            ("ordered", "nonces::whose_turn_does_not_come_is_refused_and_sends_nothing"),
            ("clock", "rejected::time_stamps_go_by_the_providers_clock_where_the_route_says_so"),
            ("unbound", "unbound::parts_that_are_not_bound_are_refused_where_a_route_says_so"),
        ],
    ),
    (
        "routes.NAME.decide",
        &[
            ("mode", "callbacks::rules::rules_in_the_shadow_change_nothing_and_are_written_down"),
            (
                "audit",
                "callbacks::rules::rules_answer_without_a_service_and_every_answer_is_written_down",
            ),
        ],
    ),
    (
        "routes.NAME.next",
        &[
            ("keys", "rotation::the_next_key_signs_from_its_time_on"),
            ("secrets", "rotation::what_belongs_to_the_next_key_goes_with_it"),
            ("params", "rotation::what_belongs_to_the_next_key_goes_with_it"),
            ("from", "rotation::the_next_key_signs_from_its_time_on"),
            (
                "canary",
                "rotation::a_canary_that_the_provider_rejects_falls_back_and_nothing_is_sent_twice",
            ),
            ("until", "rotation::a_canary_that_has_ended_signs_everything"),
        ],
    ),
    (
        "upstreams.NAME",
        &[
            ("url", "absolute_form::targets_reach_the_provider_byte_for_byte_and_signed"),
            ("socket_uid", "upstreams::local::another_user_is_not_the_provider_unless_it_is_named"),
            ("via", "upstreams::proxied::a_route_reaches_its_own_host_through_a_proxy"),
            (
                "via_credentials",
                "upstreams::proxied::other_credentials_make_other_connections_after_a_reload",
            ),
            (
                "via_ca",
                "upstreams::hops::a_proxy_is_spoken_to_in_tls_and_its_certificate_is_looked_at",
            ),
            (
                "server_name",
                "absolute_form::a_provider_behind_tls_is_reached_by_the_name_in_its_certificate",
            ),
            (
                "ca",
                "absolute_form::a_provider_behind_tls_is_reached_by_the_name_in_its_certificate",
            ),
            (
                "client_cert",
                "upstreams::certificates::a_provider_that_wants_a_certificate_gets_the_configured_one",
            ),
            (
                "client_key",
                "upstreams::certificates::a_provider_that_wants_a_certificate_gets_the_configured_one",
            ),
            ("allow_plaintext", "upstreams::addresses::what_became_of_each_address_is_said"),
            (
                "post_quantum",
                "upstreams::handshakes::a_handshake_that_dies_without_a_word_may_be_too_long",
            ),
            (
                "idle_connections",
                "upstreams::pool::requests_over_http_1_1_take_turns_on_the_connections_that_are_kept",
            ),
            ("max_age", "upstreams::pool::an_old_connection_gets_no_new_requests"),
        ],
    ),
    (
        "audit",
        &[
            ("file", "audit::what_is_sent_stands_in_the_file_before_and_what_came_of_it_after"),
            ("required", "audit::what_cannot_be_written_is_not_sent_where_that_is_required"),
        ],
    ),
    (
        "process",
        &[
            ("sandbox", "confined::kernel::nothing_is_given_up_where_the_configuration_says_so"),
            (
                "lock_memory",
                "confined::kernel::memory_is_locked_where_it_is_asked_for_and_the_limit_allows",
            ),
            ("runtime", "running::each_core_serves_its_own_connections_unless_threads_steal_work"),
            (
                "read",
                "confined::library::a_module_whose_directory_is_not_named_says_what_it_could_not_do",
            ),
            (
                "write",
                "confined::library::beside_a_module_files_and_programs_are_given_up_only_where_its_needs_are_named",
            ),
        ],
    ),
    (
        "log",
        &[
            ("level", "wiring::seen::the_log_has_the_level_and_the_form_that_are_written"),
            ("format", "wiring::seen::the_log_has_the_level_and_the_form_that_are_written"),
        ],
    ),
    (
        "signer",
        &[
            ("listen", "stores::contract::remote_at_a_socket"),
            ("mode", "signer::settings::a_signers_socket_has_the_mode_that_is_written"),
            ("cert", "stores::contract::remote_in_mutual_tls"),
            ("key", "stores::contract::remote_in_mutual_tls"),
            ("client_ca", "stores::contract::remote_in_mutual_tls"),
            (
                "audit",
                "signer::grants::a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down",
            ),
            ("durable", "signer::settings::a_durable_signature_waits_for_the_disk"),
            ("sandbox", "signer::settings::a_signer_gives_up_and_locks_what_is_written"),
            ("lock_memory", "signer::settings::a_signer_gives_up_and_locks_what_is_written"),
            (
                "drain",
                "wiring::deadlines::a_signer_waits_for_a_signature_under_way_as_long_as_is_written",
            ),
        ],
    ),
    (
        "grants.NAME",
        &[
            (
                "uid",
                "signer::grants::a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down",
            ),
            ("certificate", "stores::contract::remote_in_mutual_tls"),
            (
                "keys",
                "signer::grants::a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down",
            ),
            (
                "algorithms",
                "signer::grants::a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down",
            ),
            (
                "routes",
                "signer::grants::a_grant_is_for_a_user_keys_algorithms_and_routes_and_every_use_is_written_down",
            ),
            ("rate", "signer::grants::a_rate_is_kept_and_a_reload_gives_other_keys"),
        ],
    ),
];
