//! SIGHUP: the configuration and all its files are read again. What is broken changes nothing and says so; open connections stay.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::snapshot::Snapshot;
use super::{Server, unix_now};
use crate::admin::events::{control, network};
use crate::admin::log::Severity;
use crate::config::options::Reload;
use crate::config::show;

/// Puts a new configuration in force, or keeps the old one and says why.
pub(super) fn reload(server: &Arc<Server>) {
    let old = server.snapshot.load_full();
    let generation = old.generation.saturating_add(1);
    let loaded = (server.read_settings)().and_then(|mut settings| {
        let wanted = show::changes(&old.settings, &settings);
        settings.keep_until_restart(&old.settings);
        let in_force = show::changes(&old.settings, &settings);
        let changes: Vec<_> = wanted
            .into_iter()
            .map(|(name, when)| (name, if in_force.contains(&(name, when)) { when } else { Reload::Restart }))
            .collect();
        let snapshot = Snapshot::load(settings, &server.randomness, generation, unix_now()).map_err(|error| error.to_string())?;
        Ok((snapshot, changes))
    });
    match loaded {
        Ok((snapshot, changes)) => {
            server.log.adjust(&snapshot.settings.log);
            for (front, settings) in server.fronts.iter().zip(&snapshot.settings.proxy.fronts) {
                front.reload(settings, &snapshot);
            }
            let ways_out = server.egress.iter().zip(&snapshot.settings.proxy.egress);
            let ended = ways_out.map(|(egress, settings)| egress.reload(settings, &snapshot)).sum::<usize>();
            let access_control = snapshot.policy.access_control;
            server.snapshot.store(Arc::new(snapshot));
            let unproven = if access_control { server.registry.wake_unproven_members() } else { 0 };
            server.note_transition();
            server.metrics.reload("done");
            let names = |waits: bool| -> Vec<_> {
                changes.iter().filter(|(_, when)| (*when == Reload::Restart) == waits).map(|(name, _)| *name).collect()
            };
            let attributes = json!({ "generation": generation, "changed": names(false), "changedButNeedARestart": names(true) });
            control(&server.log, Severity::Info, 4_913_400, "Successfully reloaded configuration and certificates", attributes);
            if unproven > 0 || ended > 0 {
                let text = "Connections of members that have not logged in are closed, so that they come back and do";
                let attributes = json!({ "atFronts": unproven, "onWaysOut": ended });
                network(&server.log, "main", Severity::Info, 9_000_045, text, attributes);
            }
            show(server);
        }
        Err(error) => {
            server.metrics.reload("refused");
            let text = "Reload refused; the old configuration stays in force";
            control(&server.log, Severity::Error, 9_000_005, text, json!({ "error": error, "generation": old.generation }));
        }
    }
}

/// Tells what came into force: generation, certificates, warnings of expiry.
pub(super) fn show(server: &Arc<Server>) {
    let snapshot = server.snapshot.load();
    #[expect(clippy::cast_precision_loss, reason = "nobody reloads that often")]
    server.metrics.snapshot_generation.set(snapshot.generation as f64);
    show_certificates(server);
    if snapshot.tls.as_ref().is_some_and(|tls| !tls.has_alternative_name()) {
        let text = "Server certificate has no compatible Subject Alternative Name. This may prevent TLS clients from connecting";
        network(&server.log, "main", Severity::Warning, 551_190, text, json!({}));
    }
    let threshold = i64::from(snapshot.settings.parameters.tls_x509_expiration_warning_threshold_days);
    let now = unix_now();
    for material in snapshot.materials().filter(|material| threshold > 0 && material.days_left(now) < threshold) {
        let (file, days) = (material.path.display().to_string(), material.days_left(now));
        // Revocation lists are made for weeks, not years: they are worth a line when they are overdue.
        if material.option == crate::tls::server::CRL_FILE {
            if days < 0 {
                let text = "Revocation list is overdue: every certificate of its authority is rejected";
                control(&server.log, Severity::Warning, 9_000_013, text, json!({ "option": material.option, "file": file }));
            }
            continue;
        }
        let attributes = json!({ "option": material.option, "file": file, "daysLeft": days });
        control(&server.log, Severity::Warning, 9_000_006, "Certificate expires soon", attributes);
    }
}

/// Brings the days left of every certificate in use up to date, those toward the upstream too. Of several in one file the first
/// to end counts.
pub(super) fn show_certificates(server: &Server) {
    let snapshot = server.snapshot.load();
    let mut ends: BTreeMap<(&str, &Path), i64> = BTreeMap::new();
    for material in snapshot.materials() {
        let end = ends.entry((material.option, &material.path)).or_insert(material.not_after);
        *end = material.not_after.min(*end);
    }
    for ((option, path), end) in ends {
        server.metrics.certificate_days_left(option, &path.display().to_string(), end.saturating_sub(unix_now()));
    }
}
