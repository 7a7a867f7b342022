//! doorward seen from outside: log lines, metrics, health.

pub mod log;
pub mod metrics;
