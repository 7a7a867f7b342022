//! The verdict: whether authentication may be enforced now, or what stands in the way.
//!
//! Ready is only what was seen to be ready: a transition is in force and recorded, somebody worked in it, and everything that was
//! done would be allowed, or is allowed by now. What the record has no room for is unknown unless it was allowed.

use std::fmt;

use super::report::{ApplicationReport, Line, Report, Why};

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing was ever recorded.
    NoTransition,
    /// Nothing is recorded any more.
    TransitionEnded,
    /// The transition has not lasted as long as was asked for.
    TooShort {
        /// How long it has, in milliseconds.
        seen_ms: i64,
        /// How long it should.
        wanted_ms: i64,
    },
    /// Nobody did anything that needs a privilege.
    NothingSeen,
    /// An application would break.
    Application {
        /// Its name; empty for clients that say none.
        name: String,
        /// Commands without a login.
        unauthenticated: u64,
        /// Commands without the privilege.
        missing_privilege: u64,
        /// Logins that failed.
        failed_logins: u64,
        /// Commands of both kinds that the record has no room to list.
        unlisted: u64,
    },
    /// There are more applications than the record holds, and some of the others would break.
    Overflow {
        /// Commands that would be refused.
        denied: u64,
        /// Logins that failed.
        failed_logins: u64,
    },
}

impl Obstacle {
    /// A word for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoTransition => "noTransition",
            Self::TransitionEnded => "transitionEnded",
            Self::TooShort { .. } => "tooShort",
            Self::NothingSeen => "nothingSeen",
            Self::Application { .. } => "application",
            Self::Overflow { .. } => "overflow",
        }
    }

    /// The application that it is about.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        match self {
            Self::Application { name, .. } => Some(name),
            _ => None,
        }
    }

    fn of(application: &ApplicationReport) -> Self {
        let count = |wanted: fn(&Line) -> bool| {
            let lines = application.lines.iter().filter(|one| one.is_denied() && wanted(&one.line));
            lines.fold(0_u64, |sum, one| sum.saturating_add(one.tally.count))
        };
        let failed = application.failed_logins.iter().filter(|(_, _, later)| !later);
        Self::Application {
            name: application.name.clone(),
            unauthenticated: count(|line| line.why == Some(Why::Unauthenticated)),
            missing_privilege: count(|line| matches!(line.why, Some(Why::MissingPrivilege(_)))),
            failed_logins: failed.fold(application.overflow.failed_logins, |sum, (_, tally, _)| sum.saturating_add(tally.count)),
            unlisted: application.overflow.denied,
        }
    }
}

/// For people; names are as clients gave them.
impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTransition => write!(formatter, "this doorward has not run with security.transitionToAuth since it started"),
            Self::TransitionEnded => write!(formatter, "the transition has ended: nothing is recorded any more"),
            Self::TooShort { seen_ms, wanted_ms } => {
                write!(formatter, "seen for {} s so far, and {} s were asked for", seen_ms / 1000, wanted_ms / 1000)
            }
            Self::NothingSeen => write!(formatter, "nobody did anything that needs a privilege yet"),
            Self::Application { name, unauthenticated, missing_privilege, failed_logins, unlisted } => {
                let name = if name.is_empty() { "clients without an application name" } else { name };
                let counts = [
                    (*unauthenticated, "without credentials"),
                    (*missing_privilege, "without the privilege"),
                    (*failed_logins, "failed to log in"),
                    (*unlisted, "refused beyond what the record has room for"),
                ];
                let counts: Vec<String> =
                    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count}x {what}")).collect();
                write!(formatter, "{name} would break: {}", counts.join(", "))
            }
            Self::Overflow { denied, failed_logins } => {
                write!(
                    formatter,
                    "applications that the record has no room for: {denied}x would be refused, {failed_logins}x failed to log in"
                )
            }
        }
    }
}

/// What stands in the way, nothing when it is ready. With `last_ms` only so many milliseconds count, and the transition must have
/// been in force for all of them; [`Report::forget_before`] has to be told too.
#[must_use]
pub fn obstacles(report: &Report, now_ms: i64, last_ms: Option<i64>) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let from_ms = last_ms.map(|last_ms| now_ms.saturating_sub(last_ms));
    match (report.begun_ms, report.ended_ms) {
        (None, _) => return vec![Obstacle::NoTransition],
        (Some(_), Some(_)) => obstacles.push(Obstacle::TransitionEnded),
        (Some(begun_ms), None) => {
            if let (Some(from_ms), Some(wanted_ms)) = (from_ms, last_ms)
                && begun_ms > from_ms
            {
                obstacles.push(Obstacle::TooShort { seen_ms: now_ms.saturating_sub(begun_ms), wanted_ms });
            }
        }
    }
    let since_ms = counts_from(report, now_ms, last_ms);
    if !report.applications.iter().any(|application| application.has_worked_since(since_ms)) {
        obstacles.push(Obstacle::NothingSeen);
    }
    obstacles.extend(report.applications.iter().filter(|application| !application.is_ready()).map(Obstacle::of));
    if report.overflow.denied > 0 || report.overflow.failed_logins > 0 {
        obstacles.push(Obstacle::Overflow { denied: report.overflow.denied, failed_logins: report.overflow.failed_logins });
    }
    obstacles
}

/// From when on somebody who worked was seen to work. What was before the transition that is in force tells nothing of it.
#[must_use]
pub fn counts_from(report: &Report, now_ms: i64, last_ms: Option<i64>) -> i64 {
    last_ms.map(|last_ms| now_ms.saturating_sub(last_ms)).or(report.begun_ms).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests;
