//! Who would break if authentication were enforced now: the would-deny record of `security.transitionToAuth`.
//!
//! In transition nothing is enforced, yet every forwarded command is judged by the rules that would decide about it. [`watch`] does so
//! for one connection and counts, [`record`] keeps the counts of all connections in bounded memory, [`presence`] who is connected,
//! [`verdict`] says what stands in the way of enforcement, [`roles`] finds the smallest roles that would allow everything that an
//! application did. Nothing here ever decides about a command. Pure: time comes in.
//!
//! What a client says of itself (application name, driver) is a claim: it is shown to the operator, and never believed.

pub mod presence;
pub mod record;
pub mod report;
pub mod roles;
pub mod verdict;
pub mod watch;

use std::net::IpAddr;

use bson::raw::RawDocument;

/// The longest text of each kind that is kept, in bytes; longer ones are cut. mongod takes application names of 128 bytes at most.
const MOST_APPLICATION_BYTES: usize = 128;
const MOST_DRIVER_BYTES: usize = 128;
const MOST_USER_BYTES: usize = 256;
const MOST_WORD_BYTES: usize = 64;
const MOST_NAMESPACE_BYTES: usize = 255;

/// The name under which the members of the replica set are listed: they have many connections for different ends, each of which names
/// another driver, and share one way to log in.
pub const MEMBERS: &str = "cluster members";

/// Who is at the other end of a connection, by its own account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// `application.name` of the client metadata; empty when there is none.
    pub application: String,
    /// Name and version of the driver, with a space between; empty when unknown.
    pub driver: String,
    /// The IP address; empty for a unix socket.
    pub address: String,
    /// Which of several deployments it is a client of, each of which has users of its own; empty where there is one.
    pub deployment: String,
}

impl Client {
    /// From the `client` document of the connection's hello, if it sent one, its address, `None` for a unix socket, and its deployment.
    #[must_use]
    pub fn new(metadata: Option<&RawDocument>, address: Option<IpAddr>, deployment: &str) -> Self {
        let text = |document: &str, name: &str| {
            let document = metadata?.get_document(document).ok()?;
            document.get_str(name).ok()
        };
        let application = cut(text("application", "name").unwrap_or_default(), MOST_APPLICATION_BYTES);
        let (name, version) = (text("driver", "name").unwrap_or_default(), text("driver", "version").unwrap_or_default());
        let driver = cut(format!("{name} {version}").trim(), MOST_DRIVER_BYTES);
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        Self { application, driver, address, deployment: deployment.to_owned() }
    }

    /// A cluster member at this address, proved or claimed.
    #[must_use]
    pub fn member(address: Option<IpAddr>, deployment: &str) -> Self {
        Self { application: MEMBERS.to_owned(), driver: String::new(), ..Self::new(None, address, deployment) }
    }
}

/// At most so many bytes of a text, whole characters only.
fn cut(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_client_is_what_its_metadata_says() {
        let metadata = rawdoc! { "application": { "name": "shop" }, "driver": { "name": "PyMongo", "version": "4.8.0" } };
        let expected = Client {
            application: "shop".into(),
            driver: "PyMongo 4.8.0".into(),
            address: "10.0.0.7".into(),
            deployment: "one.example.com".into(),
        };
        assert_eq!(Client::new(Some(&metadata), "10.0.0.7".parse().ok(), "one.example.com"), expected);
        assert_eq!(Client::new(None, None, ""), Client::default());
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("n\u{e4}me", 2), "n");
        assert_eq!(cut("n\u{e4}me", 3), "n\u{e4}");
        assert_eq!(cut("name", 9), "name");
    }
}
