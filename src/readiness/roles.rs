//! The smallest roles that would allow everything that an application did.
//!
//! The definitions of built-in roles come from the upstream (`rolesInfo` with `showBuiltinRoles` and `showPrivileges`), nothing of them
//! is known here. *Smallest* compares what a set of roles grants, as pairs of a resource and an action: first the number of pairs on
//! `{anyResource: true}`, then of those on every database (`{db: ""}`), then on the cluster, then on whole databases, then on single
//! collections, and then the number of roles. So a role on one database is smaller than one on all of them, whatever it allows there.
//! `root` is considered only for needs that nothing else covers, and `__system` never: it is not for users.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bson::raw::{RawArray, RawBsonRef, RawDocument};

use crate::authz::action::Action;
use crate::authz::needs::Need;
use crate::authz::privileges::Privileges;
use crate::authz::resource::OwnedResource;
use crate::names::RoleName;

/// How many sets of roles are looked at, at most; then the best so far is taken. Roles of many databases could be combined in very many
/// ways.
const MOST_STEPS: usize = 2_000;

/// The role that may do nearly everything.
const ROOT: &str = "root";
/// The role that members have; MongoDB's manual forbids giving it to anybody else.
const SYSTEM: &str = "__system";

/// A built-in role as the upstream defines it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name.
    pub name: RoleName,
    privileges: Privileges,
    /// What it grants: width of the resource, resource, action.
    pairs: BTreeSet<(usize, String, String)>,
}

impl Definition {
    /// The built-in roles of a reply to `rolesInfo`; what can not be read is left out.
    #[must_use]
    pub fn from_roles_info(reply: &RawDocument) -> Vec<Self> {
        let Ok(roles) = reply.get_array("roles") else { return Vec::new() };
        let documents = roles.into_iter().flatten().filter_map(RawBsonRef::as_document);
        let built_in = documents.filter(|role| role.get_bool("isBuiltin").unwrap_or_default());
        built_in.filter_map(Self::read).filter(|role| role.name.role != SYSTEM).collect()
    }

    fn read(role: &RawDocument) -> Option<Self> {
        let name = RoleName { role: role.get_str("role").ok()?.to_owned(), database: role.get_str("db").ok()?.to_owned() };
        let privileges = role.get_array("inheritedPrivileges").or_else(|_| role.get_array("privileges")).ok()?;
        Some(Self { name, privileges: Privileges::from_inherited(privileges), pairs: pairs(privileges) })
    }

    fn covers(&self, need: &Need) -> bool {
        self.privileges.holds(need.resource.as_resource(), need.action)
    }

    fn is_root(&self) -> bool {
        self.name.role == ROOT
    }
}

fn pairs(privileges: &RawArray) -> BTreeSet<(usize, String, String)> {
    let mut pairs = BTreeSet::new();
    for privilege in privileges.into_iter().flatten().filter_map(RawBsonRef::as_document) {
        let (Ok(resource), Ok(actions)) = (privilege.get_document("resource"), privilege.get_array("actions")) else { continue };
        let flag = |name| resource.get_bool(name).unwrap_or_default();
        let database = resource.get_str("db").unwrap_or_default();
        // The buckets of time series are collections of their own kind.
        let buckets = resource.get_str("system_buckets").map(|name| format!("system.buckets.{name}"));
        let collection = buckets.as_deref().or_else(|_| resource.get_str("collection")).unwrap_or_default();
        let width = match (database, collection) {
            _ if flag("anyResource") => 0,
            _ if flag("cluster") => 2,
            ("", _) => 1,
            (_, "") => 3,
            _ => 4,
        };
        for action in actions.into_iter().flatten().filter_map(RawBsonRef::as_str) {
            pairs.insert((width, format!("{database}.{collection}"), action.to_owned()));
        }
    }
    pairs
}

/// What is recommended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recommendation {
    /// The smallest built-in roles that cover every need that built-in roles cover.
    pub roles: Vec<RoleName>,
    /// Needs that no built-in role covers.
    pub uncovered: Vec<Need>,
    /// Privileges that allow exactly what was needed: for `createRole`.
    pub privileges: Vec<(OwnedResource, Vec<Action>)>,
}

/// Finds the smallest roles for these needs.
#[must_use]
pub fn recommend(needs: &[Need], definitions: &[Definition]) -> Recommendation {
    let covered = |need: &&Need| definitions.iter().any(|role| role.covers(need));
    let (wanted, uncovered): (Vec<&Need>, Vec<&Need>) = needs.iter().partition(covered);
    let is_ordinary = |need: &&Need| definitions.iter().any(|role| !role.is_root() && role.covers(need));
    let needs_root = !wanted.iter().all(is_ordinary);
    let candidates: Vec<&Definition> = definitions.iter().filter(|role| needs_root || !role.is_root()).collect();
    let mut roles = Search::new(&wanted, &candidates).run();
    roles.sort_unstable();
    let mut privileges: BTreeMap<OwnedResource, BTreeSet<Action>> = BTreeMap::new();
    for need in needs {
        privileges.entry(need.resource.clone()).or_default().insert(need.action);
    }
    let privileges = privileges.into_iter().map(|(resource, actions)| (resource, actions.into_iter().collect())).collect();
    Recommendation { roles, uncovered: uncovered.into_iter().cloned().collect(), privileges }
}

/// The number of pairs of each width, then of roles.
type Cost = ([usize; 5], usize);

/// A role that is worth considering.
struct Candidate<'a> {
    role: &'a Definition,
    /// Which kinds of needs it covers.
    covers: BTreeSet<usize>,
}

/// Branch and bound: the kind of need with the fewest roles is given each of its roles in turn; a set that costs more than the best is
/// not gone on with, since a further role never makes a set cheaper.
struct Search<'a> {
    candidates: Vec<Candidate<'a>>,
    /// For each kind of need the candidates that cover it; needs of one kind are covered by the same roles.
    kinds: Vec<Vec<usize>>,
    best: Option<(Cost, Vec<usize>)>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(needs: &[&Need], definitions: &[&'a Definition]) -> Self {
        let mut kinds: BTreeSet<Vec<usize>> = BTreeSet::new();
        for need in needs {
            kinds
                .insert((0..definitions.len()).filter(|&at| definitions.get(at).is_some_and(|role| role.covers(need))).collect());
        }
        let covers =
            |at: usize| kinds.iter().enumerate().filter(|(_, roles)| roles.contains(&at)).map(|(kind, _)| kind).collect();
        let all: Vec<Candidate<'a>> =
            definitions.iter().enumerate().map(|(at, role)| Candidate { role, covers: covers(at) }).collect();
        let mut candidates: Vec<Candidate<'a>> = Vec::new();
        let mut ordered: Vec<Candidate<'a>> = all.into_iter().filter(|candidate| !candidate.covers.is_empty()).collect();
        // A role that covers no more and grants no less than one before it is not worth considering.
        ordered
            .sort_by_key(|candidate| (candidate.role.pairs.len(), Reverse(candidate.covers.len()), candidate.role.name.clone()));
        for candidate in ordered {
            let is_dominated = candidates
                .iter()
                .any(|other| other.covers.is_superset(&candidate.covers) && other.role.pairs.is_subset(&candidate.role.pairs));
            if !is_dominated {
                candidates.push(candidate);
            }
        }
        candidates.sort_by_key(|candidate| cost(&[candidate.role]));
        let by_kind = |kind: usize| {
            let places = candidates.iter().enumerate().filter(|(_, candidate)| candidate.covers.contains(&kind));
            places.map(|(at, _)| at).collect()
        };
        let kinds = (0..kinds.len()).map(by_kind).collect();
        Self { candidates, kinds, best: None, steps: 0 }
    }

    fn run(mut self) -> Vec<RoleName> {
        self.descend(&mut Vec::new());
        let Some((_, chosen)) = &self.best else { return Vec::new() };
        chosen.iter().filter_map(|&at| self.candidates.get(at)).map(|candidate| candidate.role.name.clone()).collect()
    }

    fn descend(&mut self, chosen: &mut Vec<usize>) {
        self.steps = self.steps.saturating_add(1);
        let roles: Vec<&Definition> =
            chosen.iter().filter_map(|&at| self.candidates.get(at)).map(|candidate| candidate.role).collect();
        let cost = cost(&roles);
        if self.best.as_ref().is_some_and(|(best, _)| *best <= cost) {
            return;
        }
        let open = self.kinds.iter().filter(|roles| !roles.iter().any(|at| chosen.contains(at)));
        let Some(kind) = open.min_by_key(|roles| roles.len()).cloned() else {
            self.best = Some((cost, chosen.clone()));
            return;
        };
        for at in kind {
            // The first way down is always gone to its end.
            if self.steps >= MOST_STEPS && self.best.is_some() {
                return;
            }
            chosen.push(at);
            self.descend(chosen);
            chosen.pop();
        }
    }
}

fn cost(roles: &[&Definition]) -> Cost {
    let pairs: BTreeSet<_> = roles.iter().flat_map(|role| &role.pairs).collect();
    let mut widths = [0_usize; 5];
    for (width, _, _) in pairs {
        if let Some(count) = widths.get_mut(*width) {
            *count = count.saturating_add(1);
        }
    }
    (widths, roles.len())
}

#[cfg(test)]
mod tests;
