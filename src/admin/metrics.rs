//! All metrics, by name, behind typed functions. No user name, subject or address is ever a label: their number has no bound.
//!
//! The registry belongs to the value and not to the process, so that two servers can live in one test process; counters of the hot
//! path are registered once and are then plain atomics, one for each worker.

mod registry;

pub use registry::{Counter, Gauge};
use registry::{Labels, Registry};

const ENFORCED_REFUSALS: &str = "doorward_enforced_refusals_total";

/// The mechanisms that are counted under their own names.
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-256", "SCRAM-SHA-1", "MONGODB-X509"];
/// The label of every other mechanism.
const OTHER: &str = "other";

/// Counters and gauges of one running doorward.
pub struct Metrics {
    registry: Registry,
    /// Connections that are open.
    pub connections_open: Gauge,
    /// Connections that were accepted.
    pub connections_accepted: Counter,
    /// Commands that were forwarded.
    pub operations_forwarded: Counter,
    /// Commands that doorward answered itself.
    pub operations_answered: Counter,
    /// Commands that were refused because their user lacks a privilege.
    pub operations_unauthorized: Counter,
    /// Commands of unauthenticated clients that were forwarded in transition.
    pub operations_transitional: Counter,
    /// Commands that enforcement would refuse because nobody is authenticated; counted in transition alone.
    pub would_deny_unauthenticated: Counter,
    /// Commands that enforcement would refuse because the user lacks a privilege; counted in transition alone.
    pub would_deny_missing_privilege: Counter,
    /// Commands that `proxy.enforcement` refused because nobody is authenticated.
    pub enforced_refusals_unauthenticated: Counter,
    /// Commands that `proxy.enforcement` refused because the user lacks a privilege.
    pub enforced_refusals_missing_privilege: Counter,
    /// Bytes of requests that were forwarded.
    pub bytes_to_upstream: Counter,
    /// Bytes of replies that were forwarded.
    pub bytes_to_clients: Counter,
    /// Connections to the upstream that wait for their next operation (`proxy.upstream.pooling`).
    pub upstream_idle: Gauge,
    /// Operations that one of them served.
    pub upstream_reuses: Counter,
    /// Connections of the member behind to its peers that are open (`proxy.egress`).
    pub egress_connections: Gauge,
    /// Bytes that they carried to peers.
    pub egress_bytes_to_peer: Counter,
    /// Bytes that they carried back.
    pub egress_bytes_from_peer: Counter,
    /// The number of the configuration snapshot in force; it grows by one at each reload.
    pub snapshot_generation: Gauge,
}

impl Metrics {
    /// A fresh set, everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::default();
        let counter = |name, labels: Labels<'_>| registry.counter(name, labels);
        let hot = |which, name, labels: Labels<'_>| registry.hot_counter(which, name, labels);
        let gauge = |name| registry.gauge(name, &[]);
        Self {
            connections_open: gauge("doorward_connections_open"),
            connections_accepted: counter("doorward_connections_accepted_total", &[]),
            operations_forwarded: hot(0, "doorward_operations_total", &[("answered_by", "upstream")]),
            operations_answered: hot(1, "doorward_operations_total", &[("answered_by", "doorward")]),
            operations_unauthorized: counter("doorward_unauthorized_operations_total", &[]),
            operations_transitional: hot(4, "doorward_transitional_operations_total", &[]),
            would_deny_unauthenticated: counter("doorward_would_deny_total", &[("reason", "unauthenticated")]),
            would_deny_missing_privilege: counter("doorward_would_deny_total", &[("reason", "missing_privilege")]),
            enforced_refusals_unauthenticated: counter(ENFORCED_REFUSALS, &[("reason", "unauthenticated")]),
            enforced_refusals_missing_privilege: counter(ENFORCED_REFUSALS, &[("reason", "missing_privilege")]),
            bytes_to_upstream: hot(2, "doorward_relayed_bytes_total", &[("direction", "to_upstream")]),
            bytes_to_clients: hot(3, "doorward_relayed_bytes_total", &[("direction", "to_client")]),
            upstream_idle: gauge("doorward_upstream_idle_connections"),
            upstream_reuses: hot(7, "doorward_upstream_reuses_total", &[]),
            egress_connections: gauge("doorward_egress_connections"),
            egress_bytes_to_peer: hot(5, "doorward_egress_bytes_total", &[("direction", "to_peer")]),
            egress_bytes_from_peer: hot(6, "doorward_egress_bytes_total", &[("direction", "from_peer")]),
            snapshot_generation: gauge("doorward_snapshot_generation"),
            registry,
        }
    }

    /// One connection more or less in a state: `unauthenticated`, `user`, `member`.
    pub fn connection_state(&self, state: &'static str, change: f64) {
        self.gauge("doorward_connections", &[("state", state)]).increment(change);
    }

    /// 1 while an upstream is reachable, else 0. Its address is one of the configuration: their number is bounded.
    pub fn upstream_up(&self, address: &str, up: f64) {
        self.registry.gauge("doorward_upstream_up", &[("upstream", address)]).set(up);
    }

    /// A connection that was refused or broken off, by reason.
    pub fn connection_refused(&self, reason: &'static str) {
        self.counter("doorward_connections_refused_total", &[("reason", reason)]).increment(1);
    }

    /// A finished TLS handshake, by protocol version and verdict on the client's certificate.
    pub fn handshake(&self, version: &'static str, outcome: &'static str) {
        self.counter("doorward_tls_handshakes_total", &[("version", version), ("outcome", outcome)]).increment(1);
    }

    /// An authentication, by mechanism, outcome and error code name. The mechanism is what the client wrote.
    pub fn authentication(&self, mechanism: &str, outcome: &'static str, reason: &str) {
        // Whoever is not authenticated could otherwise fill the memory with series, one for each name that comes to mind.
        let mechanism = if MECHANISMS.contains(&mechanism) { mechanism } else { OTHER };
        let labels = [("mechanism", mechanism), ("outcome", outcome), ("reason", reason)];
        self.counter("doorward_authentications_total", &labels).increment(1);
    }

    /// An attempt to reach the upstream, by what became of it.
    pub fn upstream_connect(&self, outcome: &'static str) {
        self.counter("doorward_upstream_connects_total", &[("outcome", outcome)]).increment(1);
    }

    /// A connection of the member behind to a peer, by what became of it.
    pub fn egress_connect(&self, outcome: &'static str) {
        self.counter("doorward_egress_connects_total", &[("outcome", outcome)]).increment(1);
    }

    /// A connection of the member behind that was closed because of a reload, by what it was.
    pub fn egress_closed(&self, reason: &'static str) {
        self.counter("doorward_egress_closed_total", &[("reason", reason)]).increment(1);
    }

    /// A reload, by what became of it.
    pub fn reload(&self, outcome: &'static str) {
        self.counter("doorward_reloads_total", &[("outcome", outcome)]).increment(1);
    }

    /// The days left of one certificate in use, by the option that names it.
    #[expect(clippy::cast_precision_loss, reason = "days of a certificate are small")]
    pub fn certificate_days_left(&self, option: &str, path: &str, seconds_left: i64) {
        self.gauge("doorward_certificate_days_left", &[("option", option), ("path", path)]).set(seconds_left as f64 / 86_400.0);
    }

    /// How many applications of the would-deny record are in a state: `ready`, `would_break`.
    #[expect(clippy::cast_precision_loss, reason = "the record is bounded")]
    pub fn readiness(&self, state: &'static str, applications: usize) {
        self.gauge("doorward_readiness_applications", &[("state", state)]).set(applications as f64);
    }

    /// Everything as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        self.registry.render(&HELP)
    }

    fn counter(&self, name: &'static str, labels: Labels<'_>) -> Counter {
        self.registry.counter(name, labels)
    }

    fn gauge(&self, name: &'static str, labels: Labels<'_>) -> Gauge {
        self.registry.gauge(name, labels)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What each name means, for whoever reads it.
const HELP: [(&str, &str); 24] = [
    ("doorward_connections_accepted_total", "Connections accepted."),
    ("doorward_connections_refused_total", "Connections refused or broken off, by reason."),
    ("doorward_tls_handshakes_total", "TLS handshakes, by version and verdict on the client's certificate."),
    ("doorward_authentications_total", "Authentications, by mechanism, outcome and error."),
    ("doorward_operations_total", "Commands, by who answered them."),
    ("doorward_unauthorized_operations_total", "Commands refused because their user lacks a privilege."),
    ("doorward_transitional_operations_total", "Commands of unauthenticated clients forwarded under transitionToAuth."),
    ("doorward_would_deny_total", "Commands that enforcement would have refused, counted under transitionToAuth, by reason."),
    (ENFORCED_REFUSALS, "Commands that proxy.enforcement refused under transitionToAuth, by reason."),
    ("doorward_relayed_bytes_total", "Message bytes relayed, by direction."),
    ("doorward_upstream_connects_total", "Attempts to connect to the upstream, by outcome."),
    ("doorward_upstream_reuses_total", "Operations on an upstream connection that waited for one (proxy.upstream.pooling)."),
    ("doorward_egress_bytes_total", "Bytes carried between the member behind and its peers, by direction."),
    ("doorward_egress_connects_total", "Connections of the member behind to its peers, by outcome."),
    ("doorward_egress_closed_total", "Connections of the member behind that a reload closed, by reason."),
    ("doorward_reloads_total", "Reloads, by outcome."),
    ("doorward_connections_open", "Connections open now."),
    ("doorward_connections", "Connections open now, by state of authentication."),
    ("doorward_upstream_up", "1 while the upstream answers."),
    ("doorward_upstream_idle_connections", "Shared upstream connections that wait for an operation (proxy.upstream.pooling)."),
    ("doorward_egress_connections", "Connections of the member behind to its peers that are open now."),
    ("doorward_snapshot_generation", "Number of the configuration in force."),
    ("doorward_readiness_applications", "Applications seen under transitionToAuth, by whether enforcement would break them."),
    ("doorward_certificate_days_left", "Days until a certificate in use expires, by option."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.connections_accepted.increment(2);
        metrics.authentication("SCRAM-SHA-256", "failed", "AuthenticationFailed");
        metrics.connection_state("user", 1.0);
        let text = metrics.render();
        for line in [
            "doorward_connections_accepted_total 2",
            "doorward_authentications_total{mechanism=\"SCRAM-SHA-256\",outcome=\"failed\",reason=\"AuthenticationFailed\"} 1",
            "doorward_connections{state=\"user\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn whatever_mechanism_a_client_names_there_is_one_series_for_all_that_do_not_exist() {
        let metrics = Metrics::new();
        for number in 0..100 {
            metrics.authentication(&format!("MECHANISM-{number}"), "failed", "MechanismUnavailable");
        }
        let text = metrics.render();
        let series: Vec<_> = text.lines().filter(|line| line.starts_with("doorward_authentications_total{")).collect();
        let expected =
            "doorward_authentications_total{mechanism=\"other\",outcome=\"failed\",reason=\"MechanismUnavailable\"} 100";
        assert_eq!(series, [expected]);
    }

    #[test]
    fn two_servers_in_one_process_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.connections_accepted.increment(1);
        assert!(other.render().contains("doorward_connections_accepted_total 0"));
    }
}
