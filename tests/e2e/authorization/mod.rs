//! Authorization: every command of mongod and many kinds of arguments, each run by users with all kinds of roles, on a real mongod
//! with access control and on the server under test. Both must allow and refuse the same.
//!
//! Both are replica sets of one node with the same key, users, roles and data. The cases run one after the other, and each by all
//! users, so both servers are in the same state at every step; what a case changes, it takes back. A command that would end the run
//! or lose its data carries a read concern (`"judged_only"` in the tables): mongod judges it and then refuses it for that.

mod data;
mod encode;
mod outcome;
mod side;

use std::time::Instant;

use self::data::{Case, Explained, User};
use self::outcome::Outcome;
use self::side::Side;
use super::support::servers::{Target, target};

/// The code of a command that its user may not run.
const UNAUTHORIZED: i32 = 13;

/// The code of a command with a read concern that it does not take.
const INVALID_OPTIONS: i32 = 72;

/// A case in which the two servers differ for some users.
struct Difference<'a> {
    case: &'a str,
    users: Vec<&'a str>,
    /// How many of the users are refused by mongod and not by the other.
    too_much: usize,
    text: String,
}

#[test]
fn every_user_may_run_the_same_commands_as_on_mongod() {
    let began = Instant::now();
    let (cases, users) = (data::cases(), data::users());
    let run = |target| {
        let cases = &cases;
        move || Side::start(target).run(cases)
    };
    let (expected, found) = std::thread::scope(|scope| {
        let mongod = scope.spawn(run(Target::Mongod));
        let under_test = scope.spawn(run(target()));
        (mongod.join().expect("mongod's run"), under_test.join().expect("the run under test"))
    });
    let differences = differences(&cases, &users, &expected, &found);
    let telling = expected.iter().filter(|outcomes| outcomes.iter().any(|outcome| outcome.code != outcomes[0].code)).count();
    let answers: usize = differences.iter().map(|difference| difference.users.len()).sum();
    let too_much: usize = differences.iter().map(|difference| difference.too_much).sum();
    let explained = if target() == Target::Mongod { Vec::new() } else { data::explained() };
    if std::env::var_os("DOORWARD_E2E_SHOW").is_some() {
        show(&cases, &users, &expected);
    }
    println!(
        "authorization: {} users x {} cases ({telling} answer users differently): {answers} differences ({too_much} allow what mongod refuses) in {} cases, {} reasons, {:.1?}",
        users.len(),
        cases.len(),
        differences.len(),
        explained.len(),
        began.elapsed(),
    );
    let failures = unexplained(&differences, &explained);
    assert!(failures.is_empty(), "{} unexplained:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_command_that_mongod_lists_has_a_case() {
    let mut listed = Side::start(Target::Mongod).commands();
    let mut tested = data::command_names();
    listed.sort();
    tested.sort();
    assert_eq!(listed, tested);
}

#[test]
fn a_stage_that_ends_a_mongod_does_not_get_there() {
    let mut doorward = Side::start(Target::Doorward);
    let cases = data::harmful();
    let outcomes = doorward.run(&cases);
    for (case, outcomes) in cases.iter().zip(&outcomes) {
        let forwarded = outcomes.iter().zip(data::users()).find(|(outcome, _)| outcome.code <= 0);
        assert!(forwarded.is_none(), "{}: {forwarded:?}", case.name);
    }
    assert!(!doorward.commands().is_empty());
}

/// Prints what mongod answered: with `DOORWARD_E2E_SHOW` set, the suite is a way to ask it.
fn show(cases: &[Case], users: &[User], expected: &[Vec<Outcome>]) {
    for (case, outcomes) in cases.iter().zip(expected) {
        let answers = users.iter().zip(outcomes).map(|(user, outcome)| (outcome.line(&Outcome::closed()), user));
        println!("{}: {} on {}{}", case.name, case.command, case.database, by_answer(answers));
    }
}

/// The users of each answer.
fn by_answer<'a>(answers: impl Iterator<Item = (String, &'a User)>) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (answer, user) in answers {
        match groups.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, users)) => users.push(&user.name),
            None => groups.push((answer, vec![&user.name])),
        }
    }
    groups.iter().map(|(answer, users)| format!("\n    {answer}\n    users:  {}", users.join(" "))).collect()
}

fn differences<'a>(
    cases: &'a [Case],
    users: &'a [User],
    expected: &[Vec<Outcome>],
    found: &[Vec<Outcome>],
) -> Vec<Difference<'a>> {
    let one = |((case, expected), found): ((&'a Case, &Vec<Outcome>), &Vec<Outcome>)| {
        let pairs = users.iter().zip(expected.iter().zip(found));
        let different: Vec<_> = pairs.filter(|(_, (expected, found))| expected != found).collect();
        let way = |(user, (expected, found)): &(&'a User, (&Outcome, &Outcome))| {
            (format!("mongod: {}\n    found:  {}", expected.line(found), found.line(expected)), *user)
        };
        let ways = by_answer(different.iter().map(way));
        let text = format!("{}: {} on {}{ways}", case.name, case.command, case.database);
        let runs = |found: &Outcome| found.code == 0 || (case.judged_only && found.code == INVALID_OPTIONS);
        let too_much = different.iter().filter(|(_, (expected, found))| expected.code == UNAUTHORIZED && runs(found)).count();
        let users: Vec<&str> = different.iter().map(|(user, _)| user.name.as_str()).collect();
        (!users.is_empty()).then_some(Difference { case: &case.name, users, too_much, text })
    };
    cases.iter().zip(expected).zip(found).filter_map(one).collect()
}

/// The differences without a reason, and the reasons without a difference. Nothing explains that a command runs which mongod refuses.
fn unexplained(differences: &[Difference<'_>], explained: &[Explained]) -> Vec<String> {
    let has_reason = |difference: &&Difference<'_>| {
        difference.too_much == 0 && explained.iter().any(|row| row.cases.iter().any(|case| case == difference.case))
    };
    let new = differences.iter().filter(|difference| !has_reason(difference)).map(|difference| difference.text.clone());
    let stale = explained.iter().flat_map(|row| {
        let same = |case: &&String| !differences.iter().any(|difference| difference.case == **case);
        row.cases.iter().filter(same).map(|case| format!("{case}: no longer differs, though: {}", row.reason))
    });
    new.chain(stale).collect()
}
