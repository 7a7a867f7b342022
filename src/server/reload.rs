//! SIGHUP: the configuration and all its files are read again. What is broken changes nothing and says so; open connections stay.

use std::sync::Arc;

use serde_json::json;

use super::snapshot::Snapshot;
use super::{Server, unix_now};
use crate::admin::events::control;
use crate::admin::log::Severity;

/// Puts a new configuration in force, or keeps the old one and says why.
pub(super) fn reload(server: &Arc<Server>) {
    let old = server.snapshot.load_full();
    let generation = old.generation.saturating_add(1);
    let loaded = (server.read_settings)().and_then(|mut settings| {
        // Where doorward listens and logs can not change while it runs; the rest can.
        let fixed = format!("{:?}", settings.net) != format!("{:?}", old.settings.net);
        settings.net.clone_from(&old.settings.net);
        let snapshot = Snapshot::load(settings, &server.randomness, generation, unix_now()).map_err(|error| error.to_string())?;
        Ok((snapshot, fixed))
    });
    match loaded {
        Ok((snapshot, needs_restart)) => {
            server.snapshot.store(Arc::new(snapshot));
            server.users.forget();
            server.metrics.reload("done");
            let restart = if needs_restart { "changes under net need a restart, but those of net.tls" } else { "" };
            let attributes = json!({ "generation": generation, "note": restart });
            control(&server.log, Severity::Info, 4_913_400, "Successfully reloaded configuration and certificates", attributes);
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
    let Some(tls) = &snapshot.tls else { return };
    let threshold = i64::from(snapshot.settings.parameters.tls_x509_expiration_warning_threshold_days);
    for (option, path, not_after) in tls.expirations() {
        let days = not_after.saturating_sub(unix_now()) / 86_400;
        if threshold > 0 && days < threshold {
            let attributes = json!({ "option": option, "file": path.display().to_string(), "daysLeft": days });
            control(&server.log, Severity::Warning, 9_000_006, "Certificate expires soon", attributes);
        }
    }
}

/// Brings the days left of every certificate in use up to date.
pub(super) fn show_certificates(server: &Server) {
    let snapshot = server.snapshot.load();
    let Some(tls) = &snapshot.tls else { return };
    for (option, path, not_after) in tls.expirations() {
        let left = not_after.saturating_sub(unix_now());
        server.metrics.certificate_days_left((*option).to_owned(), path.display().to_string(), left);
    }
}
