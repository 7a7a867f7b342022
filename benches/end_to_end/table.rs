//! Columns of figures, what is made of them, and how they are printed. Nothing here measures.

use std::collections::BTreeMap;

use crate::rows::{Base, Ratio, Row};
use crate::subjects::{DOORWARD, PEERS};

/// The figures of one subject.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// By row: the figures of the subject and those of its twin, one a round.
    figures: BTreeMap<&'static str, [Vec<f64>; 2]>,
}

impl Column {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, figures: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, row: &'static str, twin: usize, figure: f64) {
        if let Some(figures) = self.figures.entry(row).or_default().get_mut(twin) {
            figures.push(figure);
        }
    }

    fn of(&self, row: &Row) -> [Vec<f64>; 2] {
        self.figures.get(row.name).cloned().unwrap_or_default()
    }

    /// Its figures and its twin's.
    fn both(&self, row: &Row) -> Vec<f64> {
        self.of(row).concat()
    }

    fn over_its_twin(&self, row: &Row) -> Vec<f64> {
        let [one, other] = self.of(row);
        one.iter().zip(&other).map(|(one, other)| one / other).collect()
    }

    /// Round by round: its figure over the other's, its twin's over that of the other's twin.
    fn over(&self, other: &Self, row: &Row) -> Vec<f64> {
        self.both(row).iter().zip(other.both(row)).map(|(one, other)| one / other).collect()
    }
}

/// The value that this part of the values does not exceed; between two values, so much of each.
pub(crate) fn part(mut values: Vec<f64>, part: f64) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let place = part * values.len().saturating_sub(1) as f64;
    let at = |place: f64| values.get(place as usize).copied().unwrap_or(f64::NAN);
    at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract()
}

pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The median, and half of the width of the middle half.
fn cell(values: &[f64]) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|wanted| part(values.to_vec(), wanted));
    let decimals = number(middle).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if values.len() < 2 { number(middle) } else { format!("{} ±{:.decimals$}", number(middle), (high - low) / 2.0) }
}

/// Whether doorward reached a goal; with `?` when the goal lies within the middle half.
fn verdict(values: &[f64], at_most: f64) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|wanted| part(values.to_vec(), wanted));
    let word = if middle <= at_most { "met" } else { "missed" };
    let doubt = if low <= at_most && at_most < high { "?" } else { "" };
    if middle.is_nan() { String::new() } else { format!("{word}{doubt}") }
}

/// The figures of the best of the peers, round by round.
fn best_peer(columns: &[Column], row: &Row) -> Column {
    let mut best = Column::new("the best peer");
    let peers: Vec<_> = columns.iter().filter(|column| PEERS.contains(&column.name)).map(|column| column.of(row)).collect();
    for twin in 0..2 {
        let rounds = peers.iter().filter_map(|peer| peer.get(twin)).map(Vec::len).min().unwrap_or(0);
        for round in 0..rounds {
            let figures = peers.iter().filter_map(|peer| peer.get(twin)?.get(round));
            best.add(row.name, twin, figures.copied().fold(f64::INFINITY, f64::min));
        }
    }
    best
}

/// Prints one line for each row, one for the resolution, and one for each ratio.
pub(crate) fn print(rows: &[&Row], columns: &[Column]) {
    print!("\n{:38}", "");
    columns.iter().for_each(|column| print!("{:>15}", column.name));
    println!("  goal for doorward");
    for row in rows {
        let goal = row.ratios.iter().find(|ratio| ratio.0 == Base::Itself).and_then(|ratio| ratio.1);
        line(row.title, columns, |column| Some(column.both(row)), goal);
        line("  over its own twin", columns, |column| Some(column.over_its_twin(row)), None);
        for Ratio(base, goal) in row.ratios {
            let best;
            let base = match base {
                Base::Itself => continue,
                Base::Column(name) => columns.iter().find(|column| column.name == *name),
                Base::BestPeer => {
                    best = best_peer(columns, row);
                    Some(&best)
                }
            };
            let Some(base) = base else { continue };
            let over = |column: &Column| (column.name != base.name).then(|| column.over(base, row));
            line(&format!("  over {}", base.name), columns, over, *goal);
        }
    }
}

fn line(title: &str, columns: &[Column], values: impl Fn(&Column) -> Option<Vec<f64>>, goal: Option<f64>) {
    print!("{title:38}");
    columns.iter().for_each(|column| print!("{:>15}", values(column).map_or_else(String::new, |values| cell(&values))));
    let subject = columns.iter().find(|column| column.name == DOORWARD);
    match goal.zip(subject.and_then(values)) {
        Some((goal, values)) => println!("  <= {} {}", number(goal), verdict(&values, goal)),
        None => println!(),
    }
}
