//! A configuration in force: the settings and what their files held. Immutable; a reload builds a whole new one or keeps the old.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::settings::{ClusterAuthMode, Front, Settings, TlsMode, UpstreamAddress, UpstreamAuthentication};
use crate::keyfile::{KeyFile, KeyFileError};
use crate::names::HostAndPort;
use crate::scram::Credential;
use crate::secret::Secret;
use crate::session::Policy;
use crate::tls::TlsError;
use crate::tls::client::ClientTls;
use crate::tls::material::Material;
use crate::tls::server::{self, ServerTls};
use crate::upstream::connector::Connector;
use crate::upstream::login::{DerivedKeys, Login};
use crate::x509::CaTrusts;
use crate::x509::membership::MembershipRule;
use crate::x509::peer::PeerIdentity;

/// What is random and stays the same as long as the process lives.
pub struct Randomness {
    /// The salt of `__system`'s credentials.
    pub system_salt: [u8; 28],
    /// What decoy credentials are made from.
    pub decoy_key: [u8; 32],
}

impl Randomness {
    /// Fresh randomness.
    ///
    /// # Errors
    /// The operating system has none.
    pub fn new() -> Result<Self, getrandom::Error> {
        let (mut system_salt, mut decoy_key) = ([0; 28], [0; 32]);
        getrandom::fill(&mut system_salt)?;
        getrandom::fill(&mut decoy_key)?;
        Ok(Self { system_salt, decoy_key })
    }
}

/// Why a configuration can not come into force. Each text names the option and the file.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A certificate, key, CA or CRL file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keyfile. mongod prints a key with a wrong character; here no key is printed.
    #[error("security.keyFile: {}: {}; {}", path.display(), error.text_without_key(), error.remedy())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyFileError,
    },
    /// A name in the configuration is none.
    #[error("{option}: {reason}")]
    Name {
        /// Which option.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// A configuration in force.
pub struct Snapshot {
    /// The settings.
    pub settings: Settings,
    /// TLS toward clients; `None` when it is disabled.
    pub tls: Option<ServerTls>,
    /// What a front of its own certificate has instead, in the order of the fronts.
    front_tls: Vec<Option<ServerTls>>,
    /// Which CA may grant which roles by certificate; `None` is no limit.
    pub ca_trusts: Option<CaTrusts>,
    /// What sessions need.
    pub policy: Arc<Policy>,
    /// TLS toward upstreams; `None` when it is disabled.
    upstream_tls: Option<Arc<ClientTls>>,
    /// How doorward logs in there.
    login: Arc<Login>,
    /// TLS toward the other members; `None` when a mongod of these settings would not speak it there.
    member_tls: Option<Arc<ClientTls>>,
    keyfile: Option<Arc<KeyFile>>,
    /// Grows by one at each reload.
    pub generation: u64,
}

impl Snapshot {
    /// Reads every file that `settings` names. `now` is in unix seconds.
    ///
    /// # Errors
    /// The first file that is refused; nothing has changed then.
    pub fn load(settings: Settings, randomness: &Randomness, generation: u64, now: i64) -> Result<Self, SnapshotError> {
        let tls = load_server_tls(&settings, now)?;
        let front_tls = load_front_tls(&settings, now)?;
        let keyfile = settings.security.key_file.as_deref().map(|path| {
            read_keyfile(path).map(Arc::new).map_err(|error| SnapshotError::KeyFile { path: path.to_owned(), error })
        });
        let keyfile = keyfile.transpose()?;
        let membership = membership(&settings, tls.as_ref())?;
        let ca_trusts = settings.parameters.tls_ca_trusts.as_deref().map(CaTrusts::parse).transpose();
        let ca_trusts =
            ca_trusts.map_err(|error| SnapshotError::Name { option: "setParameter.tlsCATrusts", reason: error.to_string() })?;
        let system_credentials = system_credentials(&settings, keyfile.as_deref(), randomness);
        let policy = policy(&settings, membership, system_credentials, randomness);
        let upstream_tls = settings.proxy.upstream.tls.as_ref().map(|tls| ClientTls::load(tls, now)).transpose()?.map(Arc::new);
        let login = Arc::new(login(&settings, keyfile.as_ref()));
        let member_tls = load_member_tls(&settings, now)?.map(Arc::new);
        let policy = Arc::new(policy);
        Ok(Self { tls, front_tls, ca_trusts, policy, upstream_tls, login, member_tls, keyfile, generation, settings })
    }

    /// The way to an upstream.
    #[must_use]
    pub fn connector(&self, address: &UpstreamAddress) -> Connector {
        let upstream = &self.settings.proxy.upstream;
        let (timeout_ms, header) = (upstream.connect_timeout_ms, upstream.proxy_protocol);
        Connector::new(address.clone(), timeout_ms, self.upstream_tls.clone(), Arc::clone(&self.login))
            .with_proxy_protocol(header)
    }

    /// The way to another member, or to the doorward in front of it; who takes it is a member there.
    #[must_use]
    pub fn member_connector(&self, address: &HostAndPort) -> Connector {
        let login = Arc::new(member_login(&self.settings, self.keyfile.as_ref()));
        let timeout_ms = self.settings.proxy.upstream.connect_timeout_ms;
        Connector::new(UpstreamAddress::Tcp(address.clone()), timeout_ms, self.member_tls.clone(), login)
    }

    /// TLS toward the clients of a front, by its number; `None` when TLS is disabled.
    #[must_use]
    pub fn tls_of(&self, front: usize) -> Option<&ServerTls> {
        self.front_tls.get(front).and_then(Option::as_ref).or(self.tls.as_ref())
    }

    /// Every certificate and revocation list in use, toward clients and toward the upstream.
    pub fn materials(&self) -> impl Iterator<Item = &Material> {
        let of_deployments = self.front_tls.iter().flatten().flat_map(ServerTls::materials);
        // What a deployment does not have of its own is among the first.
        let of_deployments = of_deployments.filter(|material| material.option == server::DEPLOYMENTS);
        let toward_clients = self.tls.iter().flat_map(ServerTls::materials).chain(of_deployments);
        toward_clients.chain(self.upstream_tls.iter().flat_map(|tls| tls.materials()))
    }
}

fn policy(
    settings: &Settings,
    membership: Option<MembershipRule>,
    system_credentials: Vec<Arc<Credential>>,
    randomness: &Randomness,
) -> Policy {
    let Settings { security, parameters, proxy, net, .. } = settings;
    Policy {
        access_control: security.access_control,
        transition_to_auth: security.transition_to_auth,
        enforcement: proxy.enforcement.clone(),
        mechanisms: parameters.authentication_mechanisms.clone(),
        cluster_auth_mode: security.cluster_auth_mode,
        enforce_user_cluster_separation: parameters.enforce_user_cluster_separation,
        decoy_secret: proxy.hide_unknown_users.then(|| Secret::new(randomness.decoy_key.to_vec())),
        scram_iteration_count: parameters.scram_iteration_count,
        scram_sha256_iteration_count: parameters.scram_sha256_iteration_count,
        membership,
        system_credentials,
        cluster_ip_source_allowlist: security.cluster_ip_source_allowlist.clone(),
        compressors: net.compressors.clone(),
        localhost_exception: parameters.enable_localhost_auth_bypass,
        allow_roles_from_x509_certificates: parameters.allow_roles_from_x509_certificates,
        load_balanced: proxy.load_balanced,
    }
}

fn load_server_tls(settings: &Settings, now: i64) -> Result<Option<ServerTls>, TlsError> {
    if settings.tls.mode == TlsMode::Disabled {
        return Ok(None);
    }
    ServerTls::load(&settings.tls, now).map(Some)
}

fn load_front_tls(settings: &Settings, now: i64) -> Result<Vec<Option<ServerTls>>, TlsError> {
    let disabled = settings.tls.mode == TlsMode::Disabled;
    let own = |front: &Front| {
        let path = front.certificate_key_file.as_deref().filter(|_| !disabled)?;
        Some(ServerTls::load_for_deployment(&settings.tls, path, now))
    };
    settings.proxy.fronts.iter().map(|front| own(front).transpose()).collect()
}

/// As on mongod: with `allowTLS` what is sent to other members goes without.
fn load_member_tls(settings: &Settings, now: i64) -> Result<Option<ClientTls>, TlsError> {
    let is_on = matches!(settings.tls.mode, TlsMode::PreferTls | TlsMode::RequireTls);
    if settings.proxy.egress.is_empty() || !is_on {
        return Ok(None);
    }
    ClientTls::load_for_members(&settings.tls, settings.parameters.tls_withhold_client_certificate, now).map(Some)
}

/// Reads and judges a keyfile as a start does.
///
/// # Errors
/// It can not be read, others may touch it, or what it holds is refused.
pub(crate) fn read_keyfile(path: &Path) -> Result<KeyFile, KeyFileError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| KeyFileError::Unreadable { path: name.clone(), reason: error.to_string() };
    let mode = fs::metadata(path).map_err(unreadable)?.mode();
    KeyFile::check_permissions(mode, &name)?;
    let contents = zeroize::Zeroizing::new(fs::read(path).map_err(unreadable)?);
    KeyFile::parse(&contents, &name)
}

/// The credentials of `__system`, which a server in mode x509 does not have.
fn system_credentials(settings: &Settings, keyfile: Option<&KeyFile>, randomness: &Randomness) -> Vec<Arc<Credential>> {
    match keyfile {
        Some(keyfile) if settings.security.cluster_auth_mode != ClusterAuthMode::X509 => {
            keyfile.credentials(randomness.system_salt, settings.parameters.scram_sha256_iteration_count)
        }
        _ => Vec::new(),
    }
}

/// Who is a cluster member by certificate; `None` without TLS.
fn membership(settings: &Settings, tls: Option<&ServerTls>) -> Result<Option<MembershipRule>, SnapshotError> {
    let Some(tls) = tls else { return Ok(None) };
    let wrong = |option| move |error: &dyn std::fmt::Display| SnapshotError::Name { option, reason: error.to_string() };
    let rule = if let Some(text) = &settings.tls.cluster_auth_x509_attributes {
        MembershipRule::by_attributes(text).map_err(|error| wrong("net.tls.clusterAuthX509.attributes")(&error))?
    } else if let Some(value) = &settings.tls.cluster_auth_x509_extension_value {
        MembershipRule::by_extension(value.clone())
    } else {
        let own = PeerIdentity::from_der(tls.subject(), false).map_err(|error| wrong("net.tls.certificateKeyFile")(&error))?;
        MembershipRule::by_server_subject(&own.subject)
    };
    match settings.parameters.tls_x509_cluster_auth_dn_override.as_deref() {
        None | Some("") => Ok(Some(rule)),
        Some(text) => {
            rule.with_override(text).map(Some).map_err(|error| wrong("setParameter.tlsX509ClusterAuthDNOverride")(&error))
        }
    }
}

fn login(settings: &Settings, keyfile: Option<&Arc<KeyFile>>) -> Login {
    let tolerant = settings.security.transition_to_auth;
    match (settings.proxy.upstream.authentication, keyfile) {
        (UpstreamAuthentication::KeyFile, Some(keys)) => {
            Login::KeyFile { keys: Arc::clone(keys), derived: DerivedKeys::default(), tolerant }
        }
        (UpstreamAuthentication::X509, _) => Login::X509 { tolerant },
        _ => Login::None,
    }
}

/// What `security.clusterAuthMode` says that a member sends.
fn member_login(settings: &Settings, keyfile: Option<&Arc<KeyFile>>) -> Login {
    let tolerant = settings.security.transition_to_auth;
    match (settings.security.cluster_auth_mode, keyfile) {
        (ClusterAuthMode::SendX509 | ClusterAuthMode::X509, _) => Login::X509 { tolerant },
        (_, Some(keys)) => Login::KeyFile { keys: Arc::clone(keys), derived: DerivedKeys::default(), tolerant },
        (_, None) => Login::None,
    }
}
