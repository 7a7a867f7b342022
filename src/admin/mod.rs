//! doorward seen from outside: log lines, metrics, health.

pub mod events;
pub mod http;
pub mod log;
pub mod metrics;
pub mod readiness;
