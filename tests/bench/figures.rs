//! Figures: percentiles, rates, and how they are printed.

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock};

/// How late things were, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    sorted: Vec<f64>,
}

impl Lateness {
    /// Of these, in any order.
    pub(crate) fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self { sorted: all }
    }

    /// How many were early.
    pub(crate) fn early(&self) -> usize {
        self.sorted.iter().filter(|late| **late < 0.0).count()
    }

    /// What so many of a hundred do not exceed.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let place = (self.sorted.len() * percent / 100).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(place).copied().unwrap_or(f64::NAN)
    }

    /// One line.
    pub(crate) fn print(&self, name: &str) {
        println!(
            "  {name:<44} p50 {:>7.2} ms   p99 {:>7.2} ms   most {:>7.2} ms   early {}",
            self.at(50),
            self.at(99),
            self.at(100),
            self.early()
        );
    }
}

/// So many in the time since `start`, by the second.
pub(crate) fn rate(count: usize, start: Duration) -> f64 {
    let took = SystemClock.elapsed().saturating_sub(start);
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64().max(1e-9)
}

/// One rate.
pub(crate) fn print_rate(name: &str, rate: f64) {
    println!("  {name:<44} {rate:>10.0} /s");
}

/// What should be no more than the goal.
pub(crate) fn print_most(name: &str, value: f64, measure: &str, goal: f64) {
    let word = if value <= goal { "reached" } else { "missed" };
    println!("  {name:<44} {value:>10.1} {measure}   goal {goal:.0} {word}");
}

/// How a rate compares with another, and what the goal is.
pub(crate) fn print_ratio(name: &str, rate: f64, other: f64, goal: f64) {
    let ratio = rate / other;
    let word = if ratio >= goal { "reached" } else { "missed" };
    println!("  {name:<44} {ratio:>10.2}     goal {goal:.2} {word}");
}

/// How many cores there are.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
