//! Counters and gauges, and all of them as Prometheus text. Source: the text format of Prometheus, version 0.0.4.
//!
//! A counter that every message adds to has a place for each worker, so that no two processors write into one cache line; the sum is
//! formed when somebody asks. What happens once a connection or less has one place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Places of a counter of the hot path; more threads than this share them.
const PLACES: usize = 16;
/// Counters of the hot path that there is room for: one cache line.
const HOT: usize = 8;

/// What one worker counted, in a cache line of its own; processors fetch two at once.
#[derive(Default)]
#[repr(align(128))]
struct Place([AtomicU64; HOT]);

/// All counters of the hot path, a place for each worker.
#[derive(Default)]
pub(super) struct HotCounters([Place; PLACES]);

thread_local! {
    static PLACE: usize = next_place();
}

fn next_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) % PLACES
}

/// A number that only grows.
#[derive(Clone)]
pub struct Counter(Counted);

#[derive(Clone)]
enum Counted {
    Together(Arc<AtomicU64>),
    ByWorker(Arc<HotCounters>, usize),
}

impl Counter {
    /// Counts `amount` more.
    pub fn increment(&self, amount: u64) {
        let number = match &self.0 {
            Counted::Together(number) => Some(&**number),
            Counted::ByWorker(all, which) => all.0.get(PLACE.with(|place| *place)).and_then(|place| place.0.get(*which)),
        };
        if let Some(number) = number {
            number.fetch_add(amount, Ordering::Relaxed);
        }
    }

    fn value(&self) -> u64 {
        match &self.0 {
            Counted::Together(number) => number.load(Ordering::Relaxed),
            Counted::ByWorker(all, which) => {
                let numbers = all.0.iter().filter_map(|place| place.0.get(*which));
                numbers.fold(0, |sum, number| sum.wrapping_add(number.load(Ordering::Relaxed)))
            }
        }
    }
}

/// A number that grows and shrinks.
#[derive(Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Makes it `value`.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds `amount`.
    pub fn increment(&self, amount: f64) {
        let add = |bits| Some((f64::from_bits(bits) + amount).to_bits());
        // It always has a new value, and so never fails.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes `amount` away.
    pub fn decrement(&self, amount: f64) {
        self.increment(-amount);
    }

    fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

enum Series {
    Counter(Counter),
    Gauge(Gauge),
}

/// Names and values of the labels of one series.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// All series: by name, then by their labels as text.
#[derive(Default)]
pub(super) struct Registry {
    series: Mutex<BTreeMap<(&'static str, String), Series>>,
    hot: Arc<HotCounters>,
}

impl Registry {
    /// The counter of this name and these labels, made when it is new.
    pub(super) fn counter(&self, name: &'static str, labels: Labels<'_>) -> Counter {
        self.counter_of(name, labels, || Counted::Together(Arc::default()))
    }

    /// The same for one that every message adds to. `which` is its place among these, and of no other.
    pub(super) fn hot_counter(&self, which: usize, name: &'static str, labels: Labels<'_>) -> Counter {
        debug_assert!(which < HOT, "there is room for {HOT}");
        self.counter_of(name, labels, || Counted::ByWorker(Arc::clone(&self.hot), which))
    }

    fn counter_of(&self, name: &'static str, labels: Labels<'_>, new: impl FnOnce() -> Counted) -> Counter {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry((name, text(labels))).or_insert_with(|| Series::Counter(Counter(new()))) {
            Series::Counter(counter) => counter.clone(),
            // Names are this module's own, and none is both.
            Series::Gauge(_) => Counter(Counted::Together(Arc::default())),
        }
    }

    /// The gauge of this name and these labels, made when it is new.
    pub(super) fn gauge(&self, name: &'static str, labels: Labels<'_>) -> Gauge {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry((name, text(labels))).or_insert_with(|| Series::Gauge(Gauge::default())) {
            Series::Gauge(gauge) => gauge.clone(),
            Series::Counter(_) => Gauge::default(),
        }
    }

    /// Everything as Prometheus text, with what `help` says of each name.
    pub(super) fn render(&self, help: &[(&str, &str)]) -> String {
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut out, mut last) = (String::new(), "");
        for ((name, labels), series) in all.iter() {
            if *name != last {
                let kind = if matches!(series, Series::Counter(_)) { "counter" } else { "gauge" };
                let gap = if last.is_empty() { "" } else { "\n" };
                let about = help.iter().find_map(|(known, about)| (known == name).then_some(*about)).unwrap_or_default();
                let _ = writeln!(out, "{gap}# HELP {name} {about}\n# TYPE {name} {kind}");
                last = name;
            }
            let _ = match series {
                Series::Counter(counter) => writeln!(out, "{name}{labels} {}", counter.value()),
                Series::Gauge(gauge) => writeln!(out, "{name}{labels} {}", gauge.value()),
            };
        }
        out
    }
}

/// `{name="value",...}`, or nothing.
fn text(labels: Labels<'_>) -> String {
    let mut out = String::new();
    for (index, (name, value)) in labels.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        let _ = write!(out, "{before}{name}=\"");
        for character in value.chars() {
            match character {
                '\\' | '"' => out.extend(['\\', character]),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    if !out.is_empty() {
        out.push('}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_stand_under_the_help_and_the_kind_of_their_name() {
        let registry = Registry::default();
        registry.counter("seen_total", &[("kind", "b")]).increment(2);
        registry.counter("seen_total", &[("kind", "a"), ("where", "here")]).increment(1);
        registry.gauge("open", &[]).set(1.5);
        let expected = "# HELP open Open now.\n# TYPE open gauge\nopen 1.5\n\n\
                        # HELP seen_total Seen.\n# TYPE seen_total counter\n\
                        seen_total{kind=\"a\",where=\"here\"} 1\nseen_total{kind=\"b\"} 2\n";
        assert_eq!(registry.render(&[("seen_total", "Seen."), ("open", "Open now.")]), expected);
    }

    #[test]
    fn a_label_can_not_end_its_quotes_or_its_line() {
        let registry = Registry::default();
        registry.gauge("left", &[("path", "a\"b\\c\nd")]).set(1.0);
        assert!(registry.render(&[]).contains("left{path=\"a\\\"b\\\\c\\nd\"} 1\n"), "{}", registry.render(&[]));
    }

    #[test]
    fn what_all_threads_counted_is_added_up() {
        let registry = Registry::default();
        let (counter, other) = (registry.hot_counter(0, "asked_total", &[]), registry.hot_counter(1, "told_total", &[]));
        std::thread::scope(|scope| {
            for _ in 0..PLACES + 3 {
                scope.spawn(|| (0..1000).for_each(|_| counter.increment(2)));
            }
        });
        other.increment(5);
        let text = registry.render(&[]);
        assert!(text.contains(&format!("asked_total {}\n", (PLACES + 3) * 2000)) && text.contains("told_total 5\n"), "{text}");
    }

    #[test]
    fn a_gauge_goes_up_and_down() {
        let gauge = Registry::default().gauge("open", &[]);
        gauge.increment(3.0);
        gauge.decrement(1.0);
        assert!((gauge.value() - 2.0).abs() < f64::EPSILON);
    }
}
