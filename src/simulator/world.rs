//! What the simulated platforms hold: accounts, tokens, posts, and the journal of what reached them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

use super::account::{Account, AccountState, Stored, Window};
use super::call::Call;
use super::consent::Consents;
use super::faults::{Effects, Faults};
use super::heard::Heard;
use super::records::{
    Counts, CreateOutcome, Death, Intent, JournalEntry, Page, Platform, PostRecord, Profile, User,
};
use super::settings::{Allowance, Settings};
use crate::clock::{self, SharedClock};

/// The zero of X's ids: they carry the milliseconds since then above their lowest 22 bits.
pub const X_EPOCH_MS: i64 = 1_288_834_974_657;

/// The Facebook application that all page tokens belong to.
#[derive(Clone, Default)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) require_proof: bool,
}

/// What a token is worth.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// It acts for this account.
    Alive(Arc<Account>),
    /// It did once.
    Dead(Death),
    /// Nobody has seen it.
    Unknown,
}

struct Token {
    platform: Platform,
    account: String,
    death: Option<Death>,
    ends_at: Option<Timestamp>,
}

/// The one truth behind both simulators.
pub struct World {
    clock: SharedClock,
    settings: RwLock<Arc<Settings>>,
    faults: Faults,
    accounts: BTreeMap<Platform, RwLock<HashMap<String, Arc<Account>>>>,
    tokens: RwLock<HashMap<String, Token>>,
    app: RwLock<App>,
    pub(super) consents: Mutex<Consents>,
    bases: RwLock<BTreeMap<Platform, String>>,
    app_windows: Mutex<HashMap<String, Window>>,
    journal: Mutex<Vec<JournalEntry>>,
    /// Every call, once somebody has asked for them.
    heard: Mutex<Option<Vec<Heard>>>,
    received: AtomicU64,
    created: AtomicU64,
    graph_number: AtomicU64,
    snowflake: AtomicU64,
    /// The low bits of the ids of other platforms, which carry the time above them.
    low: AtomicU64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// An empty world.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            settings: RwLock::default(),
            faults: Faults::default(),
            accounts: Platform::ALL.map(|platform| (platform, RwLock::default())).into(),
            tokens: RwLock::default(),
            app: RwLock::new(App { id: "1".to_owned(), ..App::default() }),
            consents: Mutex::default(),
            bases: RwLock::default(),
            app_windows: Mutex::default(),
            journal: Mutex::default(),
            heard: Mutex::default(),
            received: AtomicU64::new(0),
            created: AtomicU64::new(0),
            graph_number: AtomicU64::new(122_100_000_000_000),
            snowflake: AtomicU64::new(0),
            low: AtomicU64::new(0),
        }
    }

    /// The simulators' time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps every call from now on.
    pub fn keep_calls(&self) {
        lock(&self.heard).get_or_insert_default();
    }

    /// The calls since they are kept.
    pub fn calls(&self) -> Vec<Heard> {
        lock(&self.heard).clone().unwrap_or_default()
    }

    pub(super) fn hear(&self, platform: Platform, call: &Call) {
        if let Some(all) = &mut *lock(&self.heard) {
            all.push(Heard::of(platform, call));
        }
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The switches as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&read(&self.settings))
    }

    /// Changes the switches.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut place = write(&self.settings);
        let mut settings = Settings::clone(&place);
        change(&mut settings);
        *place = Arc::new(settings);
    }

    /// The faults that wait.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Adds a Facebook Page, or replaces the one with that id.
    pub fn add_page(&self, page: Page) {
        let account = Arc::new(Account::new(Profile::from(&page)));
        self.put(Platform::Facebook, &page.id, account);
        self.add_token(page.token, Platform::Facebook, page.id);
    }

    /// Adds an X account, or replaces the one with that id.
    pub fn add_user(&self, user: User) {
        self.add_member(Platform::X, user);
    }

    /// Adds an account of a platform whose accounts have handles, or replaces the one with that id.
    pub fn add_member(&self, platform: Platform, user: User) {
        let account = Arc::new(Account::new(Profile::from(&user)));
        self.put(platform, &user.id, account);
        self.add_token(user.token, platform, user.id);
    }

    fn put(&self, platform: Platform, id: &str, account: Arc<Account>) {
        if let Some(all) = self.accounts.get(&platform) {
            write(all).insert(id.to_owned(), account);
        }
    }

    /// Gives an account one more token.
    pub fn add_token_for(&self, platform: Platform, account: &str, token: &str) {
        self.add_token(token.to_owned(), platform, account.to_owned());
    }

    fn add_token(&self, token: String, platform: Platform, account: String) {
        write(&self.tokens).insert(token, Token { platform, account, death: None, ends_at: None });
    }

    /// Gives an account on X a subscription, or ends it.
    pub fn set_premium(&self, account: &str, premium: bool) {
        if let Some(account) = self.account(Platform::X, account) {
            account.set_premium(premium);
        }
    }

    /// Gives an account one more token, which ends by itself.
    pub fn add_ending_token(
        &self,
        platform: Platform,
        account: &str,
        token: &str,
        ends_at: Timestamp,
    ) {
        let account = account.to_owned();
        let ends_at = Some(ends_at);
        let record = Token { platform, account, death: None, ends_at };
        write(&self.tokens).insert(token.to_owned(), record);
    }

    /// Says which application the page tokens belong to, and whether each call must prove that it
    /// knows the application's secret.
    pub fn set_facebook_app(&self, id: &str, secret: &str, require_proof: bool) {
        *write(&self.app) = App { id: id.to_owned(), secret: secret.to_owned(), require_proof };
    }

    pub(crate) fn app(&self) -> App {
        read(&self.app).clone()
    }

    /// Lets a token die.
    pub fn revoke(&self, token: &str, reason: Death) {
        if let Some(token) = write(&self.tokens).get_mut(token) {
            token.death = Some(reason);
        }
    }

    /// Lets two tokens act for each other's account.
    pub fn swap_tokens(&self, a: &str, b: &str) {
        let mut tokens = write(&self.tokens);
        if let (Some(one), Some(other)) = (tokens.remove(a), tokens.remove(b)) {
            tokens.insert(a.to_owned(), other);
            tokens.insert(b.to_owned(), one);
        }
    }

    pub(crate) fn standing(&self, platform: Platform, token: &str) -> Standing {
        let tokens = read(&self.tokens);
        let Some(token) = tokens.get(token).filter(|token| token.platform == platform) else {
            return Standing::Unknown;
        };
        let now = self.now();
        let ended = token.ends_at.filter(|end| *end <= now).map(|_| Death::Expired);
        match (token.death.or(ended), self.account(platform, &token.account)) {
            (Some(death), _) => Standing::Dead(death),
            (None, Some(account)) => Standing::Alive(account),
            (None, None) => Standing::Unknown,
        }
    }

    /// When a token ends by itself.
    pub(crate) fn ends_of(&self, token: &str) -> Option<Timestamp> {
        read(&self.tokens).get(token)?.ends_at
    }

    pub(crate) fn account(&self, platform: Platform, id: &str) -> Option<Arc<Account>> {
        read(self.accounts.get(&platform)?).get(id).cloned()
    }

    /// All accounts of a platform, by id.
    pub(crate) fn accounts(&self, platform: Platform) -> Vec<Arc<Account>> {
        let accounts = self.accounts.get(&platform);
        let mut all: Vec<_> =
            accounts.map(|all| read(all).values().cloned().collect()).unwrap_or_default();
        all.sort_by(|a, b| a.profile.id.cmp(&b.profile.id));
        all
    }

    /// The true posts of a Page, oldest first: drafts too, deleted ones not.
    pub fn page_posts(&self, page_id: &str) -> Vec<PostRecord> {
        self.posts(Platform::Facebook, page_id)
    }

    /// The true posts of an X account, oldest first.
    pub fn user_posts(&self, user_id: &str) -> Vec<PostRecord> {
        self.posts(Platform::X, user_id)
    }

    /// The true posts of an account, oldest first.
    pub fn posts(&self, platform: Platform, account: &str) -> Vec<PostRecord> {
        let now = self.now();
        self.account(platform, account)
            .map(|account| account.lock().posts(now).cloned().collect())
            .unwrap_or_default()
    }

    /// Puts a post on an account that did not come through the API; gives its id.
    pub fn insert_foreign(&self, platform: Platform, account: &str, text: &str) -> Option<String> {
        self.insert_foreign_at(platform, account, text, self.now())
    }

    /// The same with a time of its own, for posts from before the world began.
    pub fn insert_foreign_at(
        &self,
        platform: Platform,
        account: &str,
        text: &str,
        at: Timestamp,
    ) -> Option<String> {
        let holder = self.account(platform, account)?;
        let id = match platform {
            Platform::Facebook => format!("{account}_{}", self.next_graph_number()),
            Platform::X => self.snowflake_at(at).to_string(),
            Platform::Mastodon => self.next_status_at(at).to_string(),
            Platform::Bluesky => self.next_key_at(at),
        };
        let record = PostRecord {
            id: id.clone(),
            text: text.to_owned(),
            link: None,
            photos: Vec::new(),
            poll: None,
            reply_to: None,
            audience: None,
            created_at: at,
            visible_at: at,
            application: None,
            is_published: true,
            publish_at: None,
            versions: Vec::new(),
        };
        holder.lock().add(Stored::new(record, Effects::default()));
        Some(id)
    }

    /// Lets the platform change the text of a post after the fact; false when there is no such post.
    pub fn rewrite(&self, platform: Platform, account: &str, id: &str, text: &str) -> bool {
        let Some(holder) = self.account(platform, account) else { return false };
        let now = self.now();
        let mut state = holder.lock();
        let Some(post) = state.post_mut(id, now) else { return false };
        post.rewrite(text);
        true
    }

    /// How often the posts of each account were read back.
    pub fn reads(&self) -> BTreeMap<String, u64> {
        Platform::ALL
            .into_iter()
            .flat_map(|platform| self.accounts(platform))
            .map(|account| (account.profile.id.clone(), account.reads()))
            .collect()
    }

    /// Lets the lists of one account lag behind; unset, the settings decide again.
    pub fn set_read_lag(&self, platform: Platform, account: &str, lag: Option<Duration>) {
        if let Some(account) = self.account(platform, account) {
            account.set_lag(lag);
        }
    }

    /// Every byte-complete create request so far, in the order of arrival.
    pub fn journal(&self) -> Vec<JournalEntry> {
        lock(&self.journal).clone()
    }

    /// The counters behind the journal.
    pub fn counts(&self) -> Counts {
        Counts {
            received: self.received.load(Ordering::Relaxed),
            created: self.created.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn record(
        &self,
        platform: Platform,
        account: Option<String>,
        at: Timestamp,
        intent: impl FnOnce() -> Intent,
        outcome: CreateOutcome,
        fault: Option<&'static str>,
    ) {
        let number = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        if let CreateOutcome::Created(_) = outcome {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        if self.settings().journal {
            let intent = intent();
            let entry = JournalEntry { number, platform, account, at, intent, outcome, fault };
            lock(&self.journal).push(entry);
        }
    }

    /// Adds a post that came through the API.
    pub(crate) fn store(
        &self,
        account: &Account,
        state: &mut AccountState,
        mut record: PostRecord,
        effects: Effects,
    ) {
        let lag = effects
            .lag
            .or_else(|| account.lag())
            .unwrap_or_else(|| Duration::from_millis(self.settings().read_lag_ms));
        record.visible_at = clock::after(record.created_at, lag);
        state.add(Stored::new(record, effects));
    }

    /// Counts a call against a limit of the whole X application.
    pub(crate) fn count_for_app(&self, name: &str, allowance: Allowance, now: Timestamp) -> Window {
        Window::count(&mut lock(&self.app_windows), name, allowance, now)
    }

    /// A number that no Graph object has yet.
    pub(crate) fn next_graph_number(&self) -> u64 {
        self.graph_number.fetch_add(1, Ordering::Relaxed)
    }

    /// An id that no X object has yet; strictly growing.
    pub(crate) fn next_snowflake(&self) -> u64 {
        let base = snowflake_base(self.now());
        let grow = |last: u64| Some(base.max(last + 1));
        match self.snowflake.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow) {
            Ok(last) | Err(last) => base.max(last + 1),
        }
    }

    /// The id of something made at `at`, which may be in the past.
    fn snowflake_at(&self, at: Timestamp) -> u64 {
        if at >= self.now() {
            return self.next_snowflake();
        }
        // The low bits only have to differ from those of other foreign posts.
        snowflake_base(at) | (self.next_graph_number() & 0x003f_ffff)
    }

    /// The id of a status of Mastodon: milliseconds above 16 bits that differ (`Mastodon::Snowflake` in its
    /// source; its documents promise no form).
    pub(crate) fn next_status_at(&self, at: Timestamp) -> u64 {
        let low = self.low.fetch_add(1, Ordering::Relaxed) & 0xffff;
        (u64::try_from(at.as_millisecond()).unwrap_or(0) << 16) | low
    }

    /// A record key of the AT protocol (atproto.com, specification of TIDs): microseconds above ten bits,
    /// in an alphabet that sorts as the numbers do.
    pub(crate) fn next_key_at(&self, at: Timestamp) -> String {
        const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
        // Instants are whole milliseconds: what differs goes into the microseconds too.
        let low = self.low.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        let micros = u64::try_from(at.as_microsecond()).unwrap_or(0) + low / 1_000;
        let number = (micros << 10) | (low % 1_000);
        let letter = |place: u32| {
            let index = usize::try_from((number >> (place * 5)) & 31).unwrap_or(0);
            LETTERS.get(index).copied()
        };
        (0..13).rev().filter_map(letter).map(char::from).collect()
    }

    /// The address at which a platform's simulator is reached, without a slash at its end.
    pub fn base(&self, platform: Platform) -> String {
        read(&self.bases).get(&platform).cloned().unwrap_or_default()
    }

    pub(crate) fn set_base(&self, platform: Platform, base: String) {
        write(&self.bases).insert(platform, base);
    }
}

fn snowflake_base(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond() - X_EPOCH_MS).unwrap_or(0) << 22
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    fn world() -> World {
        let clock = SimulatedClock::at("2026-09-02T02:00:00Z".parse().unwrap());
        World::new(Arc::new(clock))
    }

    #[test]
    fn ids_of_x_grow_and_carry_the_time() {
        let world = world();
        let ids: Vec<_> = (0..1000).map(|_| world.next_snowflake()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let ms = i64::try_from(ids[999] >> 22).unwrap() + X_EPOCH_MS;
        assert_eq!(Timestamp::from_millisecond(ms).unwrap(), world.now());
    }

    #[test]
    fn a_foreign_post_from_the_past_takes_its_place() {
        let world = world();
        world.add_user(User { id: "7".into(), token: "t".into(), ..User::default() });
        let newer = world.insert_foreign(Platform::X, "7", "now").unwrap();
        let hour_ago = clock::before(world.now(), Duration::from_hours(1));
        let older = world.insert_foreign_at(Platform::X, "7", "then", hour_ago).unwrap();
        let ids: Vec<_> = world.user_posts("7").into_iter().map(|post| post.id).collect();
        assert_eq!(ids, [older.clone(), newer.clone()]);
        assert!(older.parse::<u64>().unwrap() < newer.parse::<u64>().unwrap());
        let account = world.account(Platform::X, "7").unwrap();
        assert_eq!(account.lock().post(&newer, world.now()).unwrap().record.text, "now");
        assert_eq!(world.insert_foreign(Platform::X, "8", "nobody"), None);
    }

    #[test]
    fn tokens_can_be_swapped_and_die() {
        let world = world();
        for id in ["1", "2"] {
            let token = format!("token-{id}");
            world.add_user(User { id: id.into(), token, ..User::default() });
        }
        world.swap_tokens("token-1", "token-2");
        let Standing::Alive(owner) = world.standing(Platform::X, "token-1") else { panic!() };
        assert_eq!(owner.profile.id, "2");
        assert!(matches!(world.standing(Platform::Facebook, "token-1"), Standing::Unknown));
        world.revoke("token-1", Death::Expired);
        assert!(matches!(world.standing(Platform::X, "token-1"), Standing::Dead(Death::Expired)));
    }

    #[test]
    fn the_journal_can_be_switched_off_but_the_counters_not() {
        let world = world();
        world.change_settings(|settings| settings.journal = false);
        let outcome = CreateOutcome::Created("1".into());
        world.record(Platform::X, None, world.now(), Intent::default, outcome, None);
        assert!(world.journal().is_empty());
        assert_eq!(world.counts(), Counts { received: 1, created: 1 });
    }
}
