//! An entrance: a place to listen, and what tells which front clients come in at there: the place alone, or the server name in the
//! TLS hello.

use std::sync::Arc;

use super::front::Front;
use super::registry::Place;
use crate::config::settings::{self, Listen};
use crate::session::UpstreamPicture;

/// What stands behind a place to listen.
pub(crate) enum Entrance {
    /// One front.
    Alone(Arc<Front>),
    /// Several, by the server name that a client has to say.
    Named(Vec<(String, Arc<Front>)>),
}

/// A client that belongs to a front: only such a client reaches anything.
pub(super) struct Client<'a> {
    pub(super) front: &'a Front,
    /// The upstream at the moment the client came to the front.
    pub(super) picture: Arc<UpstreamPicture>,
}

/// The places to listen, each once.
pub(super) fn places(fronts: &[settings::Front]) -> Vec<&Listen> {
    let mut places: Vec<&Listen> = Vec::new();
    for front in fronts {
        if !places.contains(&&front.listen) {
            places.push(&front.listen);
        }
    }
    places
}

impl Entrance {
    /// The entrance of each place, in the order of [`places`]. `fronts` were made from `settings` and stand in the same order.
    pub(super) fn all(settings: &[settings::Front], fronts: &[Arc<Front>]) -> Vec<Self> {
        let at = |place: &Listen| {
            let here = || settings.iter().zip(fronts).filter(|(front, _)| front.listen == *place);
            match here().next() {
                Some((settings::Front { server_name: None, .. }, front)) => Self::Alone(Arc::clone(front)),
                _ => {
                    Self::Named(here().filter_map(|(said, front)| Some((said.server_name.clone()?, Arc::clone(front)))).collect())
                }
            }
        };
        places(settings).into_iter().map(at).collect()
    }

    /// The front that a server name means, or that no name is needed for; the error is for the log.
    pub(super) fn front(&self, server_name: Option<&str>) -> Result<&Front, String> {
        match (self, server_name) {
            (Self::Alone(front), _) => Ok(front),
            (Self::Named(fronts), Some(name)) => {
                let found = fronts.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, front)| &**front).ok_or_else(|| format!("no deployment has the server name '{name}'"))
            }
            (Self::Named(_), None) => Err("the TLS hello has no server name, which tells the deployment here".to_owned()),
        }
    }

    /// Whether one of its fronts has an upstream that is reachable.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::Alone(front) => front.is_up(),
            Self::Named(fronts) => fronts.iter().any(|(_, front)| front.is_up()),
        }
    }
}

impl Front {
    /// Makes whoever has this place a client of this front; `None` while the upstream is not reachable. In this order: a loss of the
    /// upstream in between wakes the client.
    pub(super) fn take(&self, place: &Place) -> Option<Client<'_>> {
        place.control.belongs_to(self.number);
        let picture = self.pictures.borrow().clone()?;
        Some(Client { front: self, picture })
    }
}
