//! A ministry and its missions, the same in every run, to begin a demonstration with.

use super::consent::{Person, Role};
use super::records::{Page, Platform, User};
use super::world::World;

/// The accounts that a world begins with.
#[derive(Debug, Clone)]
pub struct WorldSeed {
    accounts: Vec<SeedAccount>,
}

/// One office with its accounts.
#[derive(Debug, Clone)]
pub struct SeedAccount {
    /// Its name.
    pub name: String,
    /// Its IANA zone.
    pub zone: &'static str,
    /// Its Page.
    pub page: Page,
    /// Its X account.
    pub user: User,
    /// Its account on the Mastodon server.
    pub mastodon: User,
    /// Its Bluesky account.
    pub bluesky: User,
}

/// The places of the first missions, with their zones; further ones are numbered.
const PLACES: [(&str, &str, &str); 16] = [
    ("Tokyo", "Asia/Tokyo", "Tokyo"),
    ("Paris", "Europe/Paris", "Paris"),
    ("Washington", "America/New_York", "Washington"),
    ("Cairo", "Africa/Cairo", "Cairo"),
    ("Beijing", "Asia/Shanghai", "Beijing"),
    ("Moscow", "Europe/Moscow", "Moscow"),
    ("Madrid", "Europe/Madrid", "Madrid"),
    ("Canberra", "Australia/Sydney", "Canberra"),
    ("New Delhi", "Asia/Kolkata", "NewDelhi"),
    ("Brasilia", "America/Sao_Paulo", "Brasilia"),
    ("Pretoria", "Africa/Johannesburg", "Pretoria"),
    ("London", "Europe/London", "London"),
    ("Kathmandu", "Asia/Kathmandu", "Kathmandu"),
    ("Mexico City", "America/Mexico_City", "MexicoCity"),
    ("Ottawa", "America/Toronto", "Ottawa"),
    ("Dakar", "Africa/Dakar", "Dakar"),
];

impl WorldSeed {
    /// The ministry and so many missions.
    pub fn with_missions(missions: usize) -> Self {
        let ministry = account(0, "Ministry of Foreign Affairs", "Asia/Ho_Chi_Minh", "Ministry");
        let missions = (0..missions).map(|n| {
            let number = n + 1;
            if let Some((place, zone, handle)) = PLACES.get(n) {
                let handle = format!("Embassy{handle}");
                return account(number, &format!("Embassy in {place}"), zone, &handle);
            }
            account(number, &format!("Mission {number}"), "Etc/UTC", &format!("Mission{number}"))
        });
        Self { accounts: std::iter::once(ministry).chain(missions).collect() }
    }

    /// The ministry first, then the missions.
    pub fn accounts(&self) -> &[SeedAccount] {
        &self.accounts
    }

    /// Brings the accounts into a world.
    pub fn plant(&self, world: &World) {
        for account in &self.accounts {
            world.add_page(account.page.clone());
            world.add_user(account.user.clone());
            world.add_member(Platform::Mastodon, account.mastodon.clone());
            world.add_member(Platform::Bluesky, account.bluesky.clone());
        }
        world.add_person(self.press_officer());
    }

    /// The one person who has a role on every Page.
    pub fn press_officer(&self) -> Person {
        Person {
            id: "100200300400500".to_owned(),
            name: "Press officer".to_owned(),
            pages: self.accounts.iter().map(|account| Role::full(&account.page.id)).collect(),
            businesses: Vec::new(),
        }
    }
}

impl Default for WorldSeed {
    fn default() -> Self {
        Self::with_missions(PLACES.len())
    }
}

fn account(number: usize, name: &str, zone: &'static str, handle: &str) -> SeedAccount {
    let page_id = (104_500_000_000_000 + number).to_string();
    let user_id = (2_244_990_000 + number).to_string();
    let followers = 1_000 + u64::try_from(number).unwrap_or(0) * 37;
    let member = |id: String, username: String, token: String| User {
        id,
        username,
        token,
        name: name.to_owned(),
        followers,
        premium: false,
    };
    let short: String = handle.chars().take(15).collect();
    SeedAccount {
        name: name.to_owned(),
        zone,
        page: Page {
            token: format!("sim-page-token-{page_id}"),
            id: page_id,
            name: name.to_owned(),
            fan_count: followers,
            ..Page::default()
        },
        mastodon: member(
            (109_300_000_000_000_000 + number).to_string(),
            short.clone(),
            format!("sim-mastodon-token-{number}"),
        ),
        bluesky: member(
            did(number),
            format!("{}.bsky.test", short.to_lowercase()),
            format!("sim-app-password-{number}"),
        ),
        user: member(user_id.clone(), short, format!("sim-user-token-{user_id}")),
    }
}

/// The method `plc` has 24 signs of the alphabet of base 32, in which four figures are missing.
fn did(number: usize) -> String {
    let letter = |figure: char| figure.to_digit(10).and_then(|it| char::from_digit(it + 10, 36));
    let figures = format!("{number:0>21}");
    format!("did:plc:sim{}", figures.chars().filter_map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_run_has_the_same_accounts_and_no_two_are_alike() {
        let seed = WorldSeed::with_missions(40);
        assert_eq!(seed.accounts().len(), 41);
        let again = WorldSeed::with_missions(40);
        let mut names = HashSet::new();
        for (one, other) in seed.accounts().iter().zip(again.accounts()) {
            assert_eq!((&one.page, &one.user), (&other.page, &other.user));
            assert_eq!(one.page.token, format!("sim-page-token-{}", one.page.id));
            assert!(names.insert(one.user.username.clone()), "{}", one.user.username);
            assert!(names.insert(one.page.id.clone()) && names.insert(one.user.id.clone()));
            assert_eq!((&one.mastodon, &one.bluesky), (&other.mastodon, &other.bluesky));
            assert!(names.insert(one.mastodon.id.clone()) && names.insert(one.bluesky.id.clone()));
            assert_eq!(one.bluesky.id.len(), "did:plc:".len() + 24);
            assert!(jiff::tz::TimeZone::get(one.zone).is_ok(), "{}", one.zone);
        }
    }
}
