//! What a session needs to know of the settings and of the files that they name. Made once for a snapshot, never changed.

use std::sync::Arc;

use crate::config::cidr::Cidr;
use crate::config::settings::{ClusterAuthMode, EnforcementRule};
use crate::scram::{Credential, Mechanism};
use crate::secret::Secret;
use crate::x509::membership::MembershipRule;

/// The name of the mechanism that takes a certificate.
pub const MONGODB_X509: &str = "MONGODB-X509";

/// The rules of authentication.
pub struct Policy {
    /// Whether clients must authenticate.
    pub access_control: bool,
    /// `security.transitionToAuth`: authentication is real, but nothing is enforced.
    pub transition_to_auth: bool,
    /// `proxy.enforcement`: for whom it is enforced in transition too.
    pub enforcement: Vec<EnforcementRule>,
    /// `authenticationMechanisms`.
    pub mechanisms: Vec<String>,
    /// `security.clusterAuthMode`.
    pub cluster_auth_mode: ClusterAuthMode,
    /// `enforceUserClusterSeparation`.
    pub enforce_user_cluster_separation: bool,
    /// `proxy.hideUnknownUsers`: the secret from which decoys are made, drawn once in a process; `None` when off.
    pub decoy_secret: Option<Secret>,
    /// `scramIterationCount`.
    pub scram_iteration_count: u32,
    /// `scramSHA256IterationCount`.
    pub scram_sha256_iteration_count: u32,
    /// Which certificates are a cluster member's; `None` when nothing says so.
    pub membership: Option<MembershipRule>,
    /// The credentials of `__system` from the keyfile, one a key; empty without a keyfile.
    pub system_credentials: Vec<Arc<Credential>>,
    /// `security.clusterIpSourceAllowlist`; `None` when not given.
    pub cluster_ip_source_allowlist: Option<Vec<Cidr>>,
    /// `net.compression.compressors`; empty for `disabled`.
    pub compressors: Vec<String>,
    /// `enableLocalhostAuthBypass`.
    pub localhost_exception: bool,
    /// `allowRolesFromX509Certificates`.
    pub allow_roles_from_x509_certificates: bool,
    /// `proxy.loadBalanced`.
    pub load_balanced: bool,
}

impl Policy {
    /// Whether every client that is not authenticated is refused; in transition [`super::Session::enforces`] knows who is.
    #[must_use]
    pub const fn enforces_authentication(&self) -> bool {
        self.access_control && !self.transition_to_auth
    }

    /// Whether a user may not have this name, because it is a cluster member's.
    #[must_use]
    pub fn reserves(&self, user_name: &str) -> bool {
        self.enforce_user_cluster_separation && self.membership.as_ref().is_some_and(|rule| rule.is_member_name(user_name))
    }

    /// Whether cluster members may authenticate with the keyfile.
    #[must_use]
    pub fn accepts_keyfile_members(&self) -> bool {
        !self.system_credentials.is_empty() && self.cluster_auth_mode != ClusterAuthMode::X509
    }

    /// Whether cluster members may authenticate with a certificate.
    #[must_use]
    pub const fn accepts_x509_members(&self) -> bool {
        matches!(self.cluster_auth_mode, ClusterAuthMode::SendKeyFile | ClusterAuthMode::SendX509 | ClusterAuthMode::X509)
    }

    /// Whether `authenticationMechanisms` lists the mechanism.
    #[must_use]
    pub fn is_enabled(&self, mechanism: &str) -> bool {
        self.mechanisms.iter().any(|enabled| enabled == mechanism)
    }

    /// The iteration count of new users, and so of decoys.
    #[must_use]
    pub const fn iteration_count(&self, mechanism: Mechanism) -> u32 {
        match mechanism {
            Mechanism::ScramSha1 => self.scram_iteration_count,
            Mechanism::ScramSha256 => self.scram_sha256_iteration_count,
        }
    }
}
