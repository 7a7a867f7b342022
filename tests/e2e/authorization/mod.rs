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
    if std::env::var_os("DOORWARD_E2E_SHOW").is_some() {
        show(&cases, &users, &expected);
    }
    println!(
        "authorization: {} users x {} cases ({telling} answer users differently): {answers} differences ({too_much} allow what mongod refuses) in {} cases, {} explained rows, {:.1?}",
        users.len(),
        cases.len(),
        differences.len(),
        data::explained().len(),
        began.elapsed(),
    );
    let failures = unexplained(&differences, &data::explained());
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
        let too_much = different.iter().filter(|(_, (expected, found))| expected.code == 13 && found.code != 13).count();
        let users: Vec<&str> = different.iter().map(|(user, _)| user.name.as_str()).collect();
        (!users.is_empty()).then_some(Difference { case: &case.name, users, too_much, text })
    };
    cases.iter().zip(expected).zip(found).filter_map(one).collect()
}

/// The differences without a row that explains them, and the rows without a difference.
fn unexplained(differences: &[Difference<'_>], explained: &[Explained]) -> Vec<String> {
    let covers = |row: &Explained, difference: &Difference<'_>| {
        row.case == difference.case
            && (row.users.is_empty() || difference.users.iter().all(|user| row.users.iter().any(|it| it == user)))
    };
    let new = differences.iter().filter(|difference| !explained.iter().any(|row| covers(row, difference)));
    let differs = |row: &&Explained| {
        let difference = differences.iter().find(|difference| difference.case == row.case);
        difference.is_some_and(|difference| row.users.iter().all(|user| difference.users.contains(&user.as_str())))
    };
    let stale = explained.iter().filter(|row| !differs(row));
    let stale =
        stale.map(|row| format!("{}: differs no more for all of {:?}, explained by {:?}", row.case, row.users, row.reason));
    new.map(|difference| difference.text.clone()).chain(stale).collect()
}
