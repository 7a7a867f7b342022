//! From a socket to a connection that speaks MongoDB: first bytes, TLS, the verdict on the certificate.
//!
//! As on mongod the handshake completes first and the certificate is judged then; a rejected client sees a finished handshake and
//! a close, the operator the reason. Source: fact sheet section 7.

use std::sync::Arc;

use rustls::ProtocolVersion;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Server;
use super::connection::End;
use super::entrance::{Client, Entrance};
use super::front::Front;
use super::registry::Place;
use super::snapshot::Snapshot;
use crate::admin::events::ConnectionLog;
use crate::admin::log::Severity;
use crate::config::settings::TlsMode;
use crate::error::ErrorCode;
use crate::net::channel::Channel;
use crate::net::client_hello;
use crate::net::incoming::Incoming;
use crate::net::sniff::{FirstBytes, HTTP_ANSWER, SNIFF_LEN, sniff};
use crate::net::stream::{Stream, Transport};
use crate::net::tls_stream::TlsStream;
use crate::tls::server::{Judgement, Rejection, ServerTls, Verified};
use crate::wire::proxy_header::ProxyHeaderError;
use crate::x509::ca_trusts;
use crate::x509::peer::PeerIdentity;

/// The TLS alert `unrecognized_name`, fatal (RFC 6066 section 3).
const UNRECOGNIZED_NAME: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

/// A connection that is ready for its first message.
pub(super) struct Opened<'e> {
    pub(super) channel: Channel,
    /// From a verified certificate only.
    pub(super) peer: Option<Arc<PeerIdentity>>,
    /// Whose client it is.
    pub(super) client: Client<'e>,
}

/// Why a connection never became one.
pub(super) struct Refused {
    /// The metric's label.
    pub(super) label: &'static str,
    pub(super) code: ErrorCode,
    pub(super) reason: String,
}

impl Refused {
    /// The handshake took too long.
    pub(super) fn timeout(end: &End) -> Self {
        Self { label: "handshake_timeout", code: end.code(), reason: end.to_string() }
    }

    /// The connection does not begin as `proxy.proxyProtocol.from` says.
    pub(super) fn proxy_header(error: &ProxyHeaderError) -> Self {
        let reason = format!("{error} (proxy.proxyProtocol.from)");
        Self { label: "proxy_header", code: ErrorCode::ProtocolError, reason }
    }

    fn tls(label: &'static str, reason: impl Into<String>) -> Self {
        Self { label, code: ErrorCode::SSLHandshakeFailed, reason: reason.into() }
    }
}

/// A connection that is being opened.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a, 'e> {
    pub(super) server: &'a Server,
    pub(super) snapshot: &'a Snapshot,
    pub(super) entrance: &'e Entrance,
    pub(super) place: &'a Place,
    pub(super) log: &'a ConnectionLog,
}

impl<'e> Opening<'_, 'e> {
    /// Opens the connection, of which `first` was read already; `Ok(None)` when the client left, or was answered, without one.
    pub(super) async fn open(self, mut first: Vec<u8>, mut transport: Transport) -> Result<Option<Opened<'e>>, Refused> {
        let snapshot = self.snapshot;
        while first.len() < SNIFF_LEN {
            match transport.read_buf(&mut first).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
        let mode = snapshot.settings.tls.mode;
        match sniff(&first) {
            FirstBytes::HttpGet => {
                let mut channel = Channel::new(Stream::Plain(transport));
                let _ = channel.write(HTTP_ANSWER).await;
                channel.close().await;
                Ok(None)
            }
            FirstBytes::Tls if snapshot.tls.is_some() => self.accept_tls(first, transport).await.map(Some),
            FirstBytes::Tls => {
                Err(Refused::tls("tls_disabled", "SSL handshake received but server is started without SSL support"))
            }
            FirstBytes::Message if mode == TlsMode::RequireTls => {
                Err(Refused::tls("tls_required", "The server is configured to only allow SSL connections"))
            }
            FirstBytes::Message => {
                let client = match self.entrance {
                    Entrance::Alone(front) => self.take(front)?,
                    Entrance::Named(_) => {
                        let reason = "a connection without TLS has no server name, which tells the deployment here";
                        return Err(Refused::tls("server_name", reason));
                    }
                };
                if mode == TlsMode::PreferTls && !snapshot.settings.parameters.disable_non_tls_connection_logging {
                    self.log.not_tls();
                }
                let channel = Channel { stream: Stream::Plain(transport), incoming: Incoming::starting_with(first) };
                Ok(Some(Opened { channel, peer: None, client }))
            }
        }
    }

    /// Makes the client one of this front.
    fn take(self, front: &'e Front) -> Result<Client<'e>, Refused> {
        front.take(self.place).ok_or_else(|| Refused {
            label: "upstream",
            code: ErrorCode::HostUnreachable,
            reason: format!("the upstream is not reachable: {}", front.connector().address()),
        })
    }

    async fn accept_tls(self, mut first: Vec<u8>, mut transport: Transport) -> Result<Opened<'e>, Refused> {
        let failed = |error: std::io::Error| {
            self.server.metrics.handshake("none", "failed");
            Refused::tls("tls_handshake", format!("SSL handshake failed: {error}"))
        };
        let server_name = match self.entrance {
            Entrance::Alone(_) => None,
            Entrance::Named(_) => client_hello::server_name(&mut transport, &mut first).await.map_err(failed)?,
        };
        let front = match self.entrance.front(server_name.as_deref()) {
            Ok(front) => front,
            Err(reason) => {
                self.server.metrics.handshake("none", "failed");
                let _ = transport.write_all(UNRECOGNIZED_NAME).await;
                let _ = transport.shutdown().await;
                return Err(Refused::tls("server_name", reason));
            }
        };
        let client = self.take(front)?;
        let Some(tls) = self.snapshot.tls_of(front.number) else {
            return Err(Refused::tls("tls_disabled", "SSL handshake received but server is started without SSL support"));
        };
        let stream = TlsStream::accept(Arc::clone(&tls.config), transport, first).await.map_err(failed)?;
        let version = match stream.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "other",
        };
        let judged = judge(self.snapshot, tls, self.log, stream.peer_certificates());
        self.server.metrics.handshake(version, if judged.is_ok() { "accepted" } else { "rejected" });
        let peer = judged?;
        Ok(Opened { channel: Channel::new(Stream::Tls(Box::new(stream))), peer, client })
    }
}

/// The verdict on the client's certificate: whom it stands for, nobody, or a refusal.
fn judge(
    snapshot: &Snapshot,
    tls: &ServerTls,
    log: &ConnectionLog,
    certificates: Option<&[rustls::pki_types::CertificateDer<'static>]>,
) -> Result<Option<Arc<PeerIdentity>>, Refused> {
    let now = super::unix_now();
    if let Some(identity) = tls.known(certificates, now) {
        warn_of_expiry(snapshot, log, &identity, now);
        return Ok(Some(identity));
    }
    let verified = match tls.judge(certificates, now) {
        Judgement::Accept { verified } => verified,
        Judgement::AcceptUnverified { reason } => {
            log.certificate(
                Severity::Warning,
                23235,
                "SSL peer certificate validation failed",
                json!({ "reason": reason.to_string() }),
            );
            None
        }
        Judgement::Reject { reason } => {
            let text = match reason {
                Rejection::NoCertificate => "No SSL certificate provided by peer; connection rejected",
                Rejection::Invalid(_) => "SSL peer certificate validation failed; connection rejected",
            };
            log.certificate(Severity::Error, reason.log_id(), text, json!({ "reason": reason.to_string() }));
            return Err(Refused::tls("certificate", reason.to_string()));
        }
    };
    let Some(verified) = verified else { return Ok(None) };
    let identity = Arc::new(identify(snapshot, &verified)?);
    tls.remember(certificates, &verified, &identity);
    warn_of_expiry(snapshot, log, &identity, now);
    Ok(Some(identity))
}

/// Whom a certificate that may be believed stands for.
fn identify(snapshot: &Snapshot, verified: &Verified) -> Result<PeerIdentity, Refused> {
    let allow_roles = snapshot.settings.parameters.allow_roles_from_x509_certificates;
    let identity = PeerIdentity::from_der(&verified.certificate, allow_roles).map_err(|error| Refused {
        label: "certificate",
        code: error.code(),
        reason: error.to_string(),
    })?;
    if let (Some(trusts), false) = (&snapshot.ca_trusts, identity.roles.is_empty()) {
        trusts.judge(&ca_trusts::sha256_hex(&verified.anchor), &identity.roles).map_err(|refusal| Refused {
            label: "ca_trusts",
            code: ErrorCode::BadValue,
            reason: refusal.to_string(),
        })?;
    }
    Ok(identity)
}

fn warn_of_expiry(snapshot: &Snapshot, log: &ConnectionLog, identity: &PeerIdentity, now: i64) {
    let threshold = i64::from(snapshot.settings.parameters.tls_x509_expiration_warning_threshold_days);
    let days = identity.not_after.saturating_sub(now) / 86_400;
    if threshold > 0 && days < threshold {
        log.certificate_expires(identity.subject.as_str(), days);
    }
}
