//! What waits for people and how far they were told, on both databases.

use chancery::domain::hold::{Hold, HoldScope};
use chancery::domain::id::{HoldId, NodeId, PersonId};
use chancery::store::deliveries::NewDelivery;
use chancery::store::people::Person;
use chancery::store::reminders::{self, Step};
use chancery::store::waiting;
use chancery::store::{deliveries, holds, jobs, nodes, outcomes, people};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::database::both;
use crate::planned::{World, at, delivery, now, seed};

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn step(subject: &str, minutes: i64, step: i64, renews: bool) -> Step {
    Step { subject: subject.to_owned(), since: later(minutes), step, renews }
}

fn person(number: u128, administrator: bool, disabled: bool) -> Person {
    Person {
        id: PersonId::new(now(), number),
        email: format!("{number}@mofa.example"),
        name: format!("Person {number}"),
        administrator,
        disabled_at: disabled.then(now),
        version: 1,
        created_at: now(),
        updated_at: now(),
    }
}

fn hold() -> Hold {
    Hold {
        id: HoldId::new(now(), 7),
        scope: HoldScope::All,
        except: Vec::new(),
        reason: "An accident".into(),
        ends_at: Some(later(60)),
        lift_needs: 1,
        lifts: Vec::new(),
        lifted_at: None,
        version: 1,
        created_by: PersonId::new(now(), 1),
        created_at: now(),
    }
}

/// Two deliveries to the first account and six to the second.
fn eight(world: &World, author: &PersonId) -> Vec<NewDelivery> {
    let hours = [(0, 2), (0, 3), (1, 2), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8)];
    let planned = |(number, (account, hour)): (u128, (usize, u32))| {
        let due = format!("2026-09-02T{hour:02}:00:00Z");
        let new = delivery(1 + 11 * number, &world.posts[0], &world.accounts[account], &due);
        NewDelivery { created_by: format!("{author} tok_1"), ..new }
    };
    (0..).zip(hours).map(planned).collect()
}

both! {
    async fn a_step_is_told_once(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        for (minutes, number, renews, news) in [
            (0, 0, false, 1), (0, 0, false, 0), (9, 0, false, 0), (9, 1, false, 1), (0, 1, false, 0),
            (0, 3, false, 1), (0, 2, false, 0),
        ] {
            let told = reminders::tell(&mut tx, &[step("group", minutes, number, renews)], now()).await;
            assert_eq!(told.unwrap().len(), news, "step {number} of a group");
        }
        // A decision that is asked for anew begins at the bottom, also for whoever has not seen that.
        for (minutes, number, news) in [(0, 1, 1), (0, 1, 0), (0, 2, 1), (5, 1, 1), (5, 2, 1), (0, 3, 0)] {
            let told = reminders::tell(&mut tx, &[step("one", minutes, number, true)], now()).await;
            assert_eq!(told.unwrap().len(), news, "step {number} since {minutes}");
        }
        let told = reminders::told(&mut tx).await.unwrap();
        let group = told.iter().find(|it| it.subject == "group").unwrap();
        assert_eq!((group.since, group.step), (now(), 3), "it began when it was told first");
        reminders::forget(&mut tx, &["group"], now()).await.unwrap();
        assert_eq!(reminders::told(&mut tx).await.unwrap().len(), 2);
        reminders::forget(&mut tx, &["group"], later(1)).await.unwrap();
        assert_eq!(reminders::told(&mut tx).await.unwrap().len(), 1);
    }

    async fn what_waits_for_a_person_has_its_cause(fresh) {
        let world = seed(&fresh.store).await;
        let [one, two] = &world.accounts;
        let author = PersonId::new(now(), 1);
        let new = eight(&world, &author);
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        holds::insert(&mut tx, &hold()).await.unwrap();
        assert!(reminders::waiting(&mut tx, now()).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        let mut raw = fresh.raw().await;
        for (place, state, code) in [
            (0, "held", "review"), (1, "held", "review"), (2, "needs_human", "person"),
            (3, "held", "account"), (4, "held", "hold"), (5, "scheduled", "time_zone"),
            (6, "scheduled", "quarantine"), (7, "scheduled", "money"),
        ] {
            let hold = if code == "review" { format!("'{}'", hold().id) } else { "NULL".into() };
            let sql = format!(
                r#"UPDATE deliveries SET state = '{state}', hold_id = {hold},
                   waits_for = '{{"code":"{code}","detail":""}}' WHERE id = '{}'"#, new[place].id
            );
            raw.execute(&sql).await.unwrap();
        }
        let mut tx = fresh.store.begin().await.unwrap();
        let waiting = reminders::waiting(&mut tx, now()).await.unwrap();
        let mut seen: Vec<_> = waiting.iter().map(|it| (it.cause.clone(), &it.id)).collect();
        seen.sort();
        let wanted = [
            (format!("account:{}", two.id), &new[3].id),
            (format!("delivery:{}", new[2].id), &new[2].id),
            (format!("hold:{}", hold().id), &new[0].id), (format!("hold:{}", hold().id), &new[1].id),
            (format!("time_zone:{}", two.id), &new[5].id),
        ];
        assert_eq!(seen, wanted, "while a hold stands nothing is to be decided");
        assert!(waiting.iter().all(|it| it.author == author.as_str() && it.since == now()));
        assert_eq!((waiting[0].code.as_str(), &waiting[0].account_id), ("review", &one.id));
        assert_eq!((waiting[0].class, waiting[0].publish_by), (new[0].class, new[0].publish_by));
        assert_eq!(reminders::quarantined(&mut tx).await.unwrap(), 1);
        let caught = reminders::caught(&mut tx, &hold().id, now()).await.unwrap();
        assert_eq!(caught, [(author.to_string(), 2, 0)]);
        let covered = reminders::covered(&mut tx, &hold().id, at("2026-09-02T04:30:00Z"), now()).await;
        // Nothing was due before the end of the hold.
        assert_eq!(covered.unwrap(), []);
        let endless = Hold { id: HoldId::new(now(), 8), ends_at: None, ..hold() };
        holds::insert(&mut tx, &endless).await.unwrap();
        let covered = reminders::covered(&mut tx, &endless.id, at("2026-09-02T04:30:00Z"), now()).await;
        assert_eq!(covered.unwrap(), [(author.to_string(), 3, 0)]);
        let news = reminders::holds(&mut tx, later(59)).await.unwrap();
        assert_eq!((news.len(), news[0].reason.as_str()), (2, "An accident"));
        assert_eq!((news[0].ends_at, news[0].lifted_at), (Some(later(60)), None));
        assert_eq!(reminders::holds(&mut tx, later(60)).await.unwrap().len(), 1);
    }

    /// Counted by account and kind; the row that the relay writes makes one of them one of many.
    async fn many_questions_at_one_account_have_one_cause(fresh) {
        let world = seed(&fresh.store).await;
        let two = &world.accounts[1];
        let new = eight(&world, &PersonId::new(now(), 1));
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        let mut raw = fresh.raw().await;
        for (place, state, code) in [
            (0, "needs_human", "person"), (1, "scheduled", "quarantine"), (2, "needs_human", "person"),
            (3, "needs_human", "person"), (4, "needs_human", "person"), (5, "scheduled", "time_zone"),
            (6, "scheduled", "time_zone"), (7, "held", "account"),
        ] {
            let sql = format!(
                r#"UPDATE deliveries SET state = '{state}',
                   waits_for = '{{"code":"{code}","detail":""}}' WHERE id = '{}'"#, new[place].id
            );
            raw.execute(&sql).await.unwrap();
        }
        let mut tx = fresh.store.begin().await.unwrap();
        let ids: Vec<&str> = new.iter().map(|it| it.id.as_str()).filter(|id| *id != new[4].id.as_str()).collect();
        let row = |place: usize| {
            let state = if place < 5 { "needs_human" } else { "scheduled" };
            (new[place].id.to_string(), format!("many:{state}:{}", new[place].id))
        };
        for (most, places) in [(0, vec![0, 2, 3, 5, 6]), (1, vec![2, 3, 5, 6]), (2, vec![2, 3]), (3, vec![])] {
            let mut found = reminders::crowded(&mut tx, &ids, most).await.unwrap();
            found.sort();
            let mut wanted: Vec<_> = places.into_iter().map(row).collect();
            wanted.sort();
            assert_eq!(found, wanted, "more than {most}");
        }
        let asked = [row(2).1, row(6).1, format!("many:needs_human:{}", new[5].id)];
        let steps: Vec<Step> = asked.iter().map(|it| step(it, 7, 0, true)).collect();
        reminders::tell(&mut tx, &steps, now()).await.unwrap();
        let waiting = reminders::waiting(&mut tx, now()).await.unwrap();
        let seen = |place: usize| {
            let one = waiting.iter().find(|it| it.id == new[place].id).unwrap();
            (one.cause.clone(), one.since)
        };
        assert_eq!(seen(2), (format!("person:{}", two.id), later(7)), "since it was asked");
        assert_eq!(seen(3), (format!("delivery:{}", new[3].id), now()));
        assert_eq!(seen(6), (format!("zones:{}", two.id), later(7)));
        assert_eq!(seen(5), (format!("time_zone:{}", two.id), now()), "a row of another question");
    }

    async fn who_is_responsible_and_when_it_goes_on(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        for one in [person(1, false, false), person(2, true, false), person(3, true, true)] {
            people::insert(&mut tx, &one, None).await.unwrap();
        }
        let ids = [1, 3, 4].map(|number| PersonId::new(now(), number).to_string());
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = waiting::responsible(&mut tx, &ids).await.unwrap();
        let seen: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.administrator)).collect();
        assert_eq!(seen, [("Person 1", false), ("Person 2", true)]);
        let job = jobs::NewJob {
            id: chancery::domain::id::JobId::new(now(), 1),
            kind: "publish",
            unique_key: "publish:1".into(),
            slot: "1".into(),
            payload: json!({}),
            priority: 1,
            due_at: later(5),
        };
        jobs::enqueue(&mut tx, &[job], now()).await.unwrap();
        let keys = ["publish:1".to_owned(), "publish:2".to_owned()];
        let next = waiting::next(&mut tx, &keys).await.unwrap();
        assert_eq!((next.len(), next[0].at), (1, later(5)));
    }

    async fn what_nobody_goes_on_with_is_stuck(fresh) {
        let world = seed(&fresh.store).await;
        let new = [1, 12, 23].map(|number| {
            delivery(number, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z")
        });
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let job = jobs::NewJob {
            id: chancery::domain::id::JobId::new(now(), 1),
            kind: "reconcile",
            unique_key: format!("reconcile:{}", new[1].id),
            slot: "1".into(),
            payload: json!({}),
            priority: 1,
            due_at: later(30),
        };
        jobs::enqueue(&mut tx, &[job], now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut raw = fresh.raw().await;
        for (place, state) in [(0, "publishing"), (1, "unknown")] {
            let sql = format!("UPDATE deliveries SET state = '{state}' WHERE id = '{}'", new[place].id);
            raw.execute(&sql).await.unwrap();
        }
        let mut tx = fresh.store.begin().await.unwrap();
        for (overdue, longest, wanted) in [(0, 0, 0), (1, 0, 1), (30, 0, 1), (31, 0, 2), (1, 1, 2)] {
            let found = outcomes::stuck(&mut tx, later(overdue), later(longest)).await.unwrap();
            assert_eq!(found.len(), wanted, "overdue {overdue}, longest {longest}: {found:?}");
        }
        // Whoever is at work on it beats, however old the lease is that it was claimed under.
        let node = NodeId::new(now(), 1);
        let fence = nodes::register(&mut tx, &node, "test", later(40)).await.unwrap();
        let holder = jobs::Holder { node, fence };
        let id = chancery::domain::id::JobId::new(now(), 1);
        jobs::claim(&mut tx, &[id], &holder, later(10), later(30)).await.unwrap();
        for (overdue, wanted) in [(39, 1), (41, 2)] {
            let found = outcomes::stuck(&mut tx, later(overdue), later(0)).await.unwrap();
            assert_eq!(found.len(), wanted, "overdue {overdue}: {found:?}");
        }
        drop(tx);
        // Late is what shows no reason; what stands behind a reason has one.
        for (place, code, late) in [(0, "due", true), (0, "rate_limit", false)] {
            let sql = format!(
                r#"UPDATE deliveries SET state = 'scheduled',
                   waits_for = '{{"code":"{code}","detail":""}}' WHERE id = '{}'"#, new[place].id
            );
            raw.execute(&sql).await.unwrap();
            let mut reader = fresh.store.read().await.unwrap();
            let until = at("2026-09-02T03:00:00Z");
            let oldest = outcomes::oldest_due(&mut reader, until, now()).await.unwrap();
            assert_eq!(oldest.is_some(), late, "{code}");
            // Nobody has looked since whether it still holds.
            let oldest = outcomes::oldest_due(&mut reader, until, later(1)).await.unwrap();
            assert!(oldest.is_some(), "{code}");
        }
    }
}
