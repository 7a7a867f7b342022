//! What clients are told instead of the names of a replica set's members: `proxy.members`.
//!
//! A driver connects to every address that a hello names, and drops a member whose `me` is not the address it used. So each of these
//! fields is translated; a member without a translation is hidden, since its own name would lead around doorward. Nothing else is
//! touched: what `replSetGetStatus` and the like say stays true of the set. Source: fact sheet "wire protocol and driver behaviour",
//! sections 2.4 to 2.6.

use bson::raw::{RawArray, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};

use crate::names::HostAndPort;

/// The names of members, each with the one that clients are told.
#[derive(Clone, Debug, Default)]
pub struct AdvertisedNames(Vec<(HostAndPort, String)>);

impl AdvertisedNames {
    /// From pairs of the name in the replica set's configuration and the name for clients. None at all leaves every name as it is.
    pub fn new<'a>(members: impl IntoIterator<Item = (&'a HostAndPort, &'a HostAndPort)>) -> Self {
        Self(members.into_iter().map(|(host, advertise)| (host.clone(), advertise.to_string())).collect())
    }

    /// A hello reply with the names that are for clients.
    #[must_use]
    pub fn translate(&self, hello: RawDocumentBuf) -> RawDocumentBuf {
        if self.0.is_empty() {
            return hello;
        }
        let mut told = RawDocumentBuf::new();
        for element in hello.iter_elements().filter_map(Result::ok) {
            let Ok(value) = element.value() else { continue };
            match (element.key().as_str(), value) {
                ("hosts", RawBsonRef::Array(names)) => told.append(element.key(), self.names(names)),
                // mongod leaves these out where there are none.
                ("passives" | "arbiters", RawBsonRef::Array(names)) => {
                    let names = self.names(names);
                    if !names.is_empty() {
                        told.append(element.key(), names);
                    }
                }
                ("me" | "primary", RawBsonRef::String(name)) => {
                    if let Some(name) = self.name(name) {
                        told.append(element.key(), name);
                    }
                }
                (_, value) => told.append(element.key(), RawBson::from(value)),
            }
        }
        told
    }

    /// What the member behind calls itself, if nobody is told that name: an entry of `proxy.members` is missing or wrong.
    #[must_use]
    pub fn unknown_member<'h>(&self, hello: &'h RawDocument) -> Option<&'h str> {
        let me = hello.get_str("me").ok()?;
        (!self.0.is_empty() && self.name(me).is_none()).then_some(me)
    }

    fn names(&self, names: &RawArray) -> RawArrayBuf {
        names.into_iter().filter_map(|name| self.name(name.ok()?.as_str()?)).collect()
    }

    fn name(&self, host: &str) -> Option<&str> {
        let host = HostAndPort::parse(host)?;
        self.0.iter().find(|(known, _)| known.is_same(&host)).map(|(_, advertise)| advertise.as_str())
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn names() -> AdvertisedNames {
        let address = |text| HostAndPort::parse(text).unwrap();
        let members = [("db1:27018", "gate:1"), ("db2:27018", "gate:2"), ("[::1]:27018", "[::1]:3")];
        AdvertisedNames::new(members.map(|(host, advertise)| (address(host), address(advertise))).iter().map(|(a, b)| (a, b)))
    }

    #[test]
    fn every_field_that_drivers_learn_addresses_from_is_translated_and_no_other() {
        let hello = rawdoc! {
            "hosts": ["db1:27018", "DB2:27018"], "passives": ["[::1]:27018"], "arbiters": ["db1:27018"], "setName": "rs0",
            "primary": "db2:27018", "me": "db1:27018", "tags": { "me": "db1:27018" }, "ok": 1.0,
        };
        let expected = rawdoc! {
            "hosts": ["gate:1", "gate:2"], "passives": ["[::1]:3"], "arbiters": ["gate:1"], "setName": "rs0",
            "primary": "gate:2", "me": "gate:1", "tags": { "me": "db1:27018" }, "ok": 1.0,
        };
        assert_eq!(names().translate(hello), expected);
    }

    #[test]
    fn members_without_an_entry_are_hidden() {
        let hello = rawdoc! {
            "hosts": ["db1:27018", "db9:27018", "db1:27019"], "passives": ["db9:27018"], "primary": "db9:27018", "me": "db9:27018",
        };
        assert_eq!(names().unknown_member(&hello), Some("db9:27018"));
        assert_eq!(names().translate(hello), rawdoc! { "hosts": ["gate:1"] });
        assert_eq!(names().unknown_member(&rawdoc! { "me": "db1:27018" }), None);
    }

    #[test]
    fn without_entries_every_name_stays() {
        let hello = rawdoc! { "hosts": ["db1:27018"], "me": "db1:27018" };
        assert_eq!(AdvertisedNames::default().translate(hello.clone()), hello);
        assert_eq!(AdvertisedNames::default().unknown_member(&hello), None);
    }

    #[test]
    fn what_is_no_name_is_hidden() {
        let hello = rawdoc! { "hosts": [1, "db1", ""], "me": "db1", "primary": 5 };
        assert_eq!(names().translate(hello), rawdoc! { "hosts": RawArrayBuf::new(), "primary": 5 });
    }
}
