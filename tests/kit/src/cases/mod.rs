//! Every case, in the order of the rules in `docs/provider-contract.md`.

mod bodies;
mod identifiers;
mod items;
mod many;
mod network;
mod outcomes;
mod paying;
mod secrets;
mod settings;
mod statuses;
mod steps;

use std::future::Future;
use std::pin::Pin;

use crate::stage::Kit;
use crate::verdict::Verdict;

/// One named case of the suite. Its name begins with the number of the rule it proves.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// Its name, which is also the name of the test it becomes.
    pub name: &'static str,
    run: fn(Kit) -> Pin<Box<dyn Future<Output = Verdict>>>,
}

impl Case {
    /// The case of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    /// The number of its rule, such as `C20`.
    pub fn rule(&self) -> String {
        self.name
            .split('_')
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase()
    }

    /// Runs it on the current runtime, which must be a current-thread one: logs are captured by thread.
    pub async fn run(&self, kit: Kit) -> Verdict {
        (self.run)(kit).await
    }
}

/// Makes [`CASES`] and the macro that turns each into a test of its own, from one list. `$d` is a dollar sign, which the
/// inner macro needs for its own variable.
macro_rules! cases {
    ($d:tt $($name:ident => $module:ident::$function:ident,)+) => {
        /// Every case, in the order of the rules.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            run: |kit| Box::pin($module::$function(kit)),
        }),+];

        /// Turns a [`VendorFixture`](crate::VendorFixture) into the conformance tests of its connector: one test for
        /// each case, so that a test runner lists, runs and reports each by itself.
        ///
        /// ```ignore
        /// rescind_testkit::conformance!(Acme);
        /// ```
        #[macro_export]
        macro_rules! conformance {
            ($d fixture:expr) => {
                $(
                    #[test]
                    fn $name() {
                        $crate::run(stringify!($name), $d fixture);
                    }
                )+
            };
        }
    };
}

cases! { $
    c01_describes_itself => settings::describes_itself,
    c02_building_does_no_io => settings::building_does_no_io,
    c03_unknown_setting_is_named => settings::unknown_setting_is_named,
    c04_all_missing_settings_are_named => settings::all_missing_settings_are_named,
    c05_settings_errors_show_no_value => settings::settings_errors_show_no_value,
    c06_vendor_tenant_outlives_a_move => settings::vendor_tenant_outlives_a_move,
    c07_roles_match_scopes => settings::roles_match_scopes,
    c08_probe_changes_nothing => outcomes::probe_changes_nothing,
    c09_probe_tells_refused_credentials => outcomes::probe_tells_refused_credentials,

    c10_revocation_succeeds => outcomes::revocation_succeeds,
    c11_second_revocation_succeeds => outcomes::second_revocation_succeeds,
    c12_unknown_subject_is_not_found => outcomes::unknown_subject_is_not_found,
    c12_unrecognised_404_is_not_nobody => outcomes::unrecognised_404_is_not_nobody,
    c13_undeclared_identifier_sends_nothing => outcomes::undeclared_identifier_sends_nothing,
    c14_refusal_sends_nothing => outcomes::refusal_sends_nothing,
    c15_success_tells_the_providers_time => outcomes::success_tells_the_providers_time,

    c20_unpaid_revocation_sends_nothing => paying::unpaid_revocation_sends_nothing,
    c20_unpaid_reading_sends_nothing => paying::unpaid_reading_sends_nothing,
    c20_each_request_is_paid_before_it_leaves => paying::each_request_is_paid_before_it_leaves,
    c20_a_lane_that_shuts_voids_a_payment => paying::a_lane_that_shuts_voids_a_payment,
    c21_payments_name_declared_budgets => paying::payments_name_declared_budgets,
    c22_first_costs_are_what_is_paid => paying::first_costs_are_what_is_paid,
    c23_nothing_is_repeated => paying::nothing_is_repeated,

    c30_renews_the_token_once_and_repeats => statuses::renews_the_token_once_and_repeats,
    c30_gives_up_after_one_renewal => statuses::gives_up_after_one_renewal,
    c31_refused_credentials_are_for_a_person => statuses::refused_credentials_are_for_a_person,
    c31_token_outage_is_safe => statuses::token_outage_is_safe,
    c32_forbidden_is_never_repeated => statuses::forbidden_is_never_repeated,
    c33_throttle_in_seconds => statuses::throttle_in_seconds,
    c33_throttle_until_a_date => statuses::throttle_until_a_date,
    c33_throttle_without_a_time => statuses::throttle_without_a_time,
    c34_unavailable_is_safe => statuses::unavailable_is_safe,
    c35_server_error_leaves_the_outcome_unknown =>
        statuses::server_error_leaves_the_outcome_unknown,
    c36_other_client_errors_are_permanent => statuses::other_client_errors_are_permanent,

    c40_odd_body_is_no_success => bodies::odd_body_is_no_success,
    c41_refusal_in_a_200_is_no_success => bodies::refusal_in_a_200_is_no_success,
    c42_endless_body_is_let_go => bodies::endless_body_is_let_go,

    c50_refused_connection_is_safe => network::refused_connection_is_safe,
    c51_lost_answer_leaves_the_outcome_unknown =>
        network::lost_answer_leaves_the_outcome_unknown,
    c52_redirect_is_not_followed => network::redirect_is_not_followed,
    c52_token_redirect_is_not_followed => network::token_redirect_is_not_followed,
    c53_cancel_while_paying_is_safe => network::cancel_while_paying_is_safe,
    c53_cancel_after_sending_is_unknown => network::cancel_after_sending_is_unknown,
    c53_cancel_ends_a_dripping_answer => network::cancel_ends_a_dripping_answer,
    c54_one_cancelled_caller_takes_nobody_along =>
        network::one_cancelled_caller_takes_nobody_along,
    c55_many_calls_share_one_token => network::many_calls_share_one_token,

    c60_hostile_id_stays_one_identifier => identifiers::hostile_id_stays_one_identifier,
    c60_hostile_id_stays_one_in_evidence => identifiers::hostile_id_stays_one_in_evidence,
    c60_hostile_address_stays_one_identifier => identifiers::hostile_address_stays_one_identifier,
    c61_line_break_in_an_id_makes_no_second_line =>
        identifiers::line_break_in_an_id_makes_no_second_line,
    c62_empty_id_sends_nothing => identifiers::empty_id_sends_nothing,

    c70_debug_shows_no_secret => secrets::debug_shows_no_secret,
    c71_errors_show_neither_secret_nor_address => secrets::errors_show_neither_secret_nor_address,
    c72_logs_show_neither_secret_nor_address => secrets::logs_show_neither_secret_nor_address,

    c80_resolve_answers_each_in_order => many::resolve_answers_each_in_order,
    c81_outage_does_not_look_like_nobody => many::outage_does_not_look_like_nobody,
    c82_evidence_answers_each_in_order => many::evidence_answers_each_in_order,
    c83_outage_proves_nothing => many::outage_proves_nothing,
    c84_group_is_listed_whole => many::group_is_listed_whole,
    c85_group_outage_is_no_empty_group => many::group_outage_is_no_empty_group,
    c86_page_link_to_another_host_is_not_followed =>
        many::page_link_to_another_host_is_not_followed,

    c90_each_step_is_told => steps::each_step_is_told,
    c91_failed_step_hides_no_other => steps::failed_step_hides_no_other,
    c92_done_steps_are_not_repeated => steps::done_steps_are_not_repeated,

    c95_items_are_listed_and_ended => items::items_are_listed_and_ended,
    c96_outage_is_no_empty_list => items::outage_is_no_empty_list,
    c97_hostile_item_id_stays_one_identifier => items::hostile_item_id_stays_one_identifier,
}
