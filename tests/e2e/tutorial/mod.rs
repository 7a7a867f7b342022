//! The rehearsal of the procedure of MongoDB's manual by which a replica set gets access control without downtime, and of what comes
//! after it: keys, certificates and names are changed, all while four kinds of application work. `make transition-demo` shows it.
//!
//! With mongods that have no security no server is started again at all: the doorwards reload, that is everything. With mongods that
//! carry the keyfile themselves those are restarted, one after the other, as the manual has it.

mod applications;
mod cluster;

use std::time::Instant;

use bson::doc;

use self::applications::{Applications, NAMES, PASSWORD};
use self::cluster::{Cluster, Shape, Stage};
use crate::support::servers::{KEY, SECOND_KEY};
use crate::support::sidecars::wait_for;

const USER_ADMINISTRATOR: (&str, &str) = ("user administrator", "a password");
const CLUSTER_ADMINISTRATOR: (&str, &str) = ("cluster administrator", "another password");

/// Unauthorized.
const REFUSED: i32 = 13;
const YES: [bool; 3] = [true; 3];
const NO: [bool; 3] = [false; 3];

/// The cluster, the applications, and who tells of them.
struct Rehearsal {
    cluster: Cluster,
    applications: Applications,
    stage: Stage,
    step: usize,
    begun: Instant,
}

impl Rehearsal {
    fn start(shape: Shape) -> Self {
        println!("\nThree mongods, each behind a doorward, one replica set; nobody needs a password.\n");
        let cluster = Cluster::start(shape);
        let fronts: Vec<u16> = cluster.members.iter().map(|member| member.front).collect();
        let applications = Applications::start(&fronts);
        Self { cluster, applications, stage: Stage::without_security(), step: 0, begun: Instant::now() }
    }

    /// A step is done when every application went on after it.
    fn step(&mut self, what: &str, act: impl FnOnce(&mut Self)) {
        act(self);
        self.applications.go_on();
        self.step += 1;
        let (step, seconds) = (self.step, self.begun.elapsed().as_secs());
        println!("{step:>3}. {what:<52} {seconds:>3} s   {}", self.applications.counters());
    }

    /// One member after the other, the primary last and after another took its place, if that is wanted.
    fn each_member(&mut self, what: &str, steps_down: bool, change: impl FnOnce(&mut Stage)) {
        change(&mut self.stage);
        let stage = self.stage.clone();
        for (place, number) in self.cluster.primary_last().into_iter().enumerate() {
            if place == 2 && steps_down {
                self.step("the primary steps down", |it| it.cluster.step_down(CLUSTER_ADMINISTRATOR));
            }
            self.step(&format!("member {}: {what}", number + 1), |it| it.cluster.bring(number, &stage));
        }
    }

    /// Members that connect anew find each other.
    fn members_reconnect(&mut self) {
        self.step("all members connect to each other anew", |it| it.cluster.reconnect(CLUSTER_ADMINISTRATOR));
    }

    /// From no access control to access control for everybody.
    fn turn_authentication_on(&mut self) {
        self.step("users are created while nothing is enforced", Self::create_users);
        self.each_member("has a keyfile, and is in transitionToAuth", true, |stage| {
            (stage.keys, stage.authorization, stage.transition_to_auth) = (vec![KEY], true, true);
        });
        self.step("the readiness report names every application", |it| {
            it.wait_until_these_would_break(&NAMES);
            it.show_readiness();
        });
        for moved in 0..NAMES.len() {
            self.step(&format!("{} is moved to credentials and TLS", NAMES[moved]), |it| {
                it.applications.move_to_credentials(NAMES[moved]);
                it.wait_until_these_would_break(&NAMES[moved + 1..]);
            });
        }
        self.step("ready to enforce, says every doorward", Self::show_readiness);
        assert_eq!(self.cluster.says_to_strangers(), [0; 3]);
        self.each_member("enforces authentication and requires TLS", true, |stage| stage.transition_to_auth = false);
        self.members_reconnect();
        assert_eq!(self.cluster.says_to_strangers(), [REFUSED; 3]);
    }

    fn create_users(&mut self) {
        let mut primary = self.cluster.connect(self.cluster.primary(), None);
        let mut create = |(user, password): (&str, &str), roles: &[&str]| {
            let concern = doc! {"w": 3, "wtimeout": 30_000};
            primary.must(doc! {"createUser": user, "pwd": password, "roles": roles, "writeConcern": concern});
        };
        create(USER_ADMINISTRATOR, &["userAdminAnyDatabase"]);
        create(CLUSTER_ADMINISTRATOR, &["clusterAdmin", "readWriteAnyDatabase"]);
        NAMES.into_iter().for_each(|name| create((name, PASSWORD), &["readWriteAnyDatabase"]));
    }

    fn rotate_the_keyfile(&mut self) {
        self.each_member("has the old key and the new one", false, |stage| stage.keys = vec![KEY, SECOND_KEY]);
        self.each_member("has the new key alone", false, |stage| stage.keys = vec![SECOND_KEY]);
        self.members_reconnect();
        assert_eq!((self.cluster.takes_key(KEY), self.cluster.takes_key(SECOND_KEY)), (NO, YES));
    }

    fn move_from_keyfile_to_x509(&mut self) {
        self.each_member("sendKeyFile: takes certificates too", false, |stage| stage.cluster_auth_mode = "sendKeyFile");
        self.each_member("sendX509: sends its certificate", false, |stage| stage.cluster_auth_mode = "sendX509");
        self.each_member("x509: takes certificates alone", false, |stage| {
            (stage.cluster_auth_mode, stage.keys) = ("x509", Vec::new());
        });
        self.members_reconnect();
        assert_eq!(self.cluster.takes_key(SECOND_KEY), NO);
        assert_eq!((self.cluster.takes_certificate("member"), self.cluster.takes_certificate("other member")), (YES, NO));
    }

    fn move_to_another_dn(&mut self) {
        self.each_member("takes members of the other DN too", false, |stage| {
            stage.dn_override = Some("OU=cluster,O=elsewhere");
        });
        self.each_member("has a certificate of the other DN", false, |stage| {
            (stage.certificate, stage.dn_override) = ("other member", Some("OU=cluster,O=doorward"));
        });
        self.each_member("takes members of the other DN alone", false, |stage| stage.dn_override = None);
        self.members_reconnect();
        assert_eq!((self.cluster.takes_certificate("member"), self.cluster.takes_certificate("other member")), (NO, YES));
    }

    fn wait_until_these_would_break(&self, wanted: &[&str]) {
        let mut wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        wanted.sort();
        let found = || (self.cluster.who_would_break() == wanted).then_some(());
        wait_for(&format!("that these would break: {wanted:?}"), || self.cluster.reports(), found);
    }

    /// What `doorward readiness` prints at the primary.
    fn show_readiness(&mut self) {
        let report = self.cluster.readiness(self.cluster.primary(), &[]);
        println!();
        String::from_utf8_lossy(&report.stdout).lines().for_each(|line| println!("     | {line}"));
        println!();
    }

    fn end(self) {
        let Self { cluster, applications, .. } = self;
        println!("\nEvery acknowledged write is looked for:");
        let mut reader = cluster.connect(cluster.primary(), Some(CLUSTER_ADMINISTRATOR));
        applications.stop_and_count(&mut reader, || cluster.logs());
    }
}

#[test]
fn authentication_is_turned_on_and_changed_by_reloads_alone_while_applications_work() {
    let mut rehearsal = Rehearsal::start(Shape::Doorwards);
    rehearsal.turn_authentication_on();
    rehearsal.rotate_the_keyfile();
    rehearsal.move_from_keyfile_to_x509();
    rehearsal.move_to_another_dn();
    rehearsal.end();
}

#[test]
fn authentication_is_turned_on_for_mongods_that_carry_the_keyfile_themselves() {
    let mut rehearsal = Rehearsal::start(Shape::Mongods);
    rehearsal.turn_authentication_on();
    rehearsal.rotate_the_keyfile();
    rehearsal.end();
}
