//! For whom authentication is enforced already in transition: `proxy.enforcement`.
//!
//! What the rules go by is claimed by the client, its address apart: they decide who breaks first, and keep nobody out. That is what
//! the end of the transition does.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::config::settings::EnforcementRule;
use crate::names::UserName;

/// What is known of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// Its address; `None` for a unix socket.
    pub(super) address: Option<IpAddr>,
    /// What it calls itself, empty when it gives no name; `None` before its first hello.
    pub(super) application: Option<&'a str>,
    /// Who is authenticated.
    pub(super) user: Option<&'a UserName>,
}

/// Whether one of the rules matches.
pub(super) fn is_enforced(rules: &[EnforcementRule], known: Known<'_>) -> bool {
    rules.iter().any(|rule| matches(rule, known))
}

fn matches(rule: &EnforcementRule, known: Known<'_>) -> bool {
    let from = rule.source.is_none_or(|range| known.address.is_some_and(|address| range.contains(address)));
    let named = rule.application.as_deref().is_none_or(|name| known.application == Some(name));
    let logged_in = rule.user.as_ref().is_none_or(|user| known.user == Some(user));
    from && named && logged_in && rule.percentage.is_none_or(|percentage| is_among(percentage, known))
}

/// Whether a client is among so many of a hundred. As long as it has not said its name there is no telling, unless it is all or none.
fn is_among(percentage: u8, known: Known<'_>) -> bool {
    match (percentage, known.application) {
        (100.., _) => true,
        (0, _) | (_, None) => false,
        (_, Some(application)) => place(known.address, application) < percentage,
    }
}

/// The place of a client among a hundred: the same at every time and in every doorward.
fn place(address: Option<IpAddr>, application: &str) -> u8 {
    let address = address.map(|address| address.to_canonical().to_string()).unwrap_or_default();
    let digest = Sha256::new().chain_update(address).chain_update([0]).chain_update(application).finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from(number % 100).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known<'a>(address: &str, application: Option<&'a str>, user: Option<&'a UserName>) -> Known<'a> {
        Known { address: address.parse().ok(), application, user }
    }

    fn none() -> EnforcementRule {
        EnforcementRule::default()
    }

    #[test]
    fn every_field_of_a_rule_must_match() {
        let ann = UserName::new("ann", "app");
        let source = "10.0.0.0/8".parse().ok();
        let rule = EnforcementRule { source, application: Some("shop".into()), user: Some(ann.clone()), percentage: Some(100) };
        let cases = [
            (known("10.0.0.7", Some("shop"), Some(&ann)), true),
            (known("11.0.0.7", Some("shop"), Some(&ann)), false),
            (known("", Some("shop"), Some(&ann)), false),
            (known("10.0.0.7", Some("Shop"), Some(&ann)), false),
            (known("10.0.0.7", None, Some(&ann)), false),
            (known("10.0.0.7", Some("shop"), None), false),
        ];
        for (known, expected) in cases {
            assert_eq!(is_enforced(std::slice::from_ref(&rule), known), expected, "{known:?}");
        }
    }

    #[test]
    fn one_rule_that_matches_is_enough_and_no_rule_is_nobody() {
        let rules = [
            EnforcementRule { application: Some("shop".into()), ..none() },
            EnforcementRule { source: "10.0.0.0/8".parse().ok(), ..none() },
        ];
        assert!(is_enforced(&rules, known("11.0.0.7", Some("shop"), None)));
        assert!(is_enforced(&rules, known("10.0.0.7", None, None)));
        assert!(!is_enforced(&rules, known("11.0.0.7", Some("billing"), None)));
        assert!(!is_enforced(&[], known("10.0.0.7", Some("shop"), None)));
    }

    #[test]
    fn who_gives_no_name_is_matched_by_the_empty_one_once_it_has_said_hello() {
        let rules = [EnforcementRule { application: Some(String::new()), ..none() }];
        assert!(is_enforced(&rules, known("10.0.0.7", Some(""), None)));
        assert!(!is_enforced(&rules, known("10.0.0.7", None, None)));
    }

    #[test]
    fn a_percentage_waits_for_the_name_unless_it_is_all_or_none() {
        let at = |percentage| is_among(percentage, known("10.0.0.7", None, None));
        assert_eq!([0, 1, 99, 100].map(at), [false, false, false, true]);
    }

    #[test]
    fn a_client_keeps_its_place_for_ever() {
        // Written down, so that no version of doorward moves clients to the other side.
        let at = |address: &str, application| place(address.parse().ok(), application);
        let places = [("10.0.0.7", "shop"), ("::ffff:10.0.0.7", "shop"), ("10.0.0.7", "billing"), ("", "")];
        assert_eq!(places.map(|(address, application)| at(address, application)), [99, 99, 80, 92]);
    }

    #[test]
    fn a_percentage_is_about_so_many_of_a_hundred_clients() {
        let names: Vec<String> = (0..4000).map(|number| format!("application {number}")).collect();
        for percentage in [5, 25, 50, 90] {
            let among = names.iter().filter(|name| is_among(percentage, known("10.0.0.7", Some(name), None))).count();
            let expected = usize::from(percentage) * 40;
            assert!(among.abs_diff(expected) < 150, "{among} of 4000 for {percentage} %");
        }
    }

    proptest! {
        #[test]
        fn a_greater_percentage_only_adds(name in ".{0,20}", address in any::<u32>(), less in 0_u8..=100, more in 0_u8..=100) {
            let known = Known { address: Some(IpAddr::V4(address.into())), application: Some(&name), user: None };
            prop_assert!(less > more || !is_among(less, known) || is_among(more, known));
        }
    }
}
