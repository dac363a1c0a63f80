//! Slows down whoever sends tokens that are not in force, by address, and never a good token.
//!
//! A mission's officers share one address, so an address is never shut: what is refused there is
//! refused with a growing wait, and what must be looked up for it is looked up one at a time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long it takes until one refused token is forgotten.
const FORGET_ONE: Duration = Duration::from_secs(15);
/// How many refused tokens an address has free.
const FREE: u32 = 20;
/// How many are remembered of one address; more do not make its wait longer.
const MOST_REFUSED: u32 = 60;
/// How many addresses are remembered; those with the fewest refused tokens are forgotten first.
const MOST_ADDRESSES: usize = 4_096;

/// The addresses that refused tokens came from.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

#[derive(Debug)]
struct Address {
    /// When all its refused tokens will be forgotten.
    forgotten: Duration,
    /// Whoever holds it is looked up.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What a refused token leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A plain no.
    Plain,
    /// A no to somebody who has had too many.
    TooMany {
        /// In how many seconds the next one would be a plain no again.
        retry_after_s: u64,
        /// True for the first of a row.
        news: bool,
    },
}

impl Attempts {
    /// Notes that a token from `address` was refused at `now`.
    pub(super) fn refused(&self, address: IpAddr, now: Duration) -> Refusal {
        let key = network(address);
        let mut addresses = self.lock();
        if !addresses.contains_key(&key) {
            make_room(&mut addresses, now);
        }
        let entry = addresses
            .entry(key)
            .or_insert_with(|| Address { forgotten: now, turn: Arc::default() });
        let news = !entry.is_troublesome(now);
        let latest = now + FORGET_ONE * MOST_REFUSED;
        entry.forgotten = (entry.forgotten.max(now) + FORGET_ONE).min(latest);
        if !entry.is_troublesome(now) {
            return Refusal::Plain;
        }
        let wait = entry.forgotten.saturating_sub(now + FORGET_ONE * (FREE - 1));
        let retry_after_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Refusal::TooMany { retry_after_s, news }
    }

    /// Forgets one that was counted for `address`: it ended well.
    pub(super) fn forgive(&self, address: IpAddr) {
        if let Some(entry) = self.lock().get_mut(&network(address)) {
            entry.forgotten = entry.forgotten.saturating_sub(FORGET_ONE);
        }
    }

    /// Does a look-up for `address`: at once, or in its turn when too many were in vain. A flood
    /// of made-up tokens occupies one reader of the database, not all; the turns are fair, and the
    /// number of connections from one address bounds how many wait.
    pub(super) async fn in_turn<T>(
        &self,
        address: IpAddr,
        now: Duration,
        look_up: impl Future<Output = T>,
    ) -> T {
        let turn = self
            .lock()
            .get(&network(address))
            .filter(|it| it.is_troublesome(now))
            .map(|it| it.turn.clone());
        match turn {
            Some(turn) => {
                let _mine = turn.lock().await;
                look_up.await
            }
            None => look_up.await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Address>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    fn is_troublesome(&self, now: Duration) -> bool {
        self.forgotten > now + FORGET_ONE * FREE
    }
}

fn make_room(addresses: &mut HashMap<IpAddr, Address>, now: Duration) {
    if addresses.len() < MOST_ADDRESSES {
        return;
    }
    addresses.retain(|_, it| it.forgotten > now);
    if addresses.len() < MOST_ADDRESSES {
        return;
    }
    // A quarter at once, so that most newcomers cost no search.
    let mut all: Vec<Duration> = addresses.values().map(|it| it.forgotten).collect();
    let (_, &mut least, _) = all.select_nth_unstable(MOST_ADDRESSES / 4);
    addresses.retain(|_, it| it.forgotten > least);
}

/// What one client has for itself: an IPv4 address, or the 2^64 addresses of an IPv6 network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::clock::{Clock as _, SimulatedClock};

    fn clock() -> SimulatedClock {
        SimulatedClock::at("2026-09-02T02:00:00Z".parse().unwrap())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn wait(refusal: Refusal) -> u64 {
        match refusal {
            Refusal::Plain => 0,
            Refusal::TooMany { retry_after_s, .. } => retry_after_s,
        }
    }

    /// What so many refused tokens at once lead to.
    fn refuse(attempts: &Attempts, from: IpAddr, clock: &SimulatedClock, times: u32) -> Vec<u64> {
        (0..times).map(|_| wait(attempts.refused(from, clock.elapsed()))).collect()
    }

    #[test]
    fn the_wait_grows_and_has_an_end_and_ends() {
        let (attempts, clock, from) = (Attempts::default(), clock(), address("192.0.2.1"));
        let waits = refuse(&attempts, from, &clock, 24);
        assert_eq!(waits[..20], [0; 20]);
        assert_eq!(waits[20..], [30, 45, 60, 75]);
        assert_eq!(refuse(&attempts, from, &clock, 500).last(), Some(&615));
        // Who waits as long as he was told is told plainly, and not a moment before.
        clock.advance(Duration::from_secs(615));
        assert_eq!(refuse(&attempts, from, &clock, 2), [0, 30]);
        clock.advance(Duration::from_secs(29));
        assert_eq!(refuse(&attempts, from, &clock, 1), [16]);
        clock.advance(FORGET_ONE * MOST_REFUSED);
        assert_eq!(refuse(&attempts, from, &clock, 20), [0; 20]);
    }

    #[test]
    fn neighbours_are_not_concerned_and_a_network_is_one_client() {
        let (attempts, clock) = (Attempts::default(), clock());
        refuse(&attempts, address("192.0.2.1"), &clock, 40);
        assert_eq!(refuse(&attempts, address("192.0.2.2"), &clock, 1), [0]);
        refuse(&attempts, address("2001:db8:0:1::1"), &clock, 20);
        assert_eq!(refuse(&attempts, address("2001:db8:0:1:ffff::2"), &clock, 1), [30]);
        assert_eq!(refuse(&attempts, address("2001:db8:0:2::1"), &clock, 1), [0]);
    }

    #[test]
    fn only_the_first_of_a_row_is_news() {
        let (attempts, clock, from) = (Attempts::default(), clock(), address("192.0.2.1"));
        let told: Vec<_> = (0..30).map(|_| attempts.refused(from, clock.elapsed())).collect();
        let news = |it: &&Refusal| matches!(it, Refusal::TooMany { news: true, .. });
        assert_eq!(told.iter().filter(news).count(), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_worst_stay_in_it() {
        let (attempts, clock, worst) = (Attempts::default(), clock(), address("192.0.2.1"));
        refuse(&attempts, worst, &clock, 40);
        for number in 0..3 * u32::try_from(MOST_ADDRESSES).unwrap() {
            let one = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
            attempts.refused(one, clock.elapsed());
            assert!(attempts.lock().len() <= MOST_ADDRESSES);
        }
        assert_eq!(wait(attempts.refused(worst, clock.elapsed())), 330);
    }

    #[test]
    fn a_troublesome_address_is_looked_up_one_at_a_time() {
        let (attempts, clock) = (Attempts::default(), clock());
        let (calm, troubled) = (address("192.0.2.1"), address("192.0.2.2"));
        refuse(&attempts, troubled, &clock, 40);
        for (from, at_once) in [(calm, true), (troubled, false)] {
            let now = clock.elapsed();
            let mut first = Box::pin(attempts.in_turn(from, now, std::future::pending::<()>()));
            assert!(first.as_mut().now_or_never().is_none());
            let second = attempts.in_turn(from, now, std::future::ready(()));
            assert_eq!(second.now_or_never().is_some(), at_once, "{from}");
            drop(first);
            let third = attempts.in_turn(from, now, std::future::ready(()));
            assert!(third.now_or_never().is_some(), "{from}: the turn was not given back");
        }
    }
}
