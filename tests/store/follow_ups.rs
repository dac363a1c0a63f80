//! Messages, notifications, mail, webhooks and incidents on both databases.

use std::collections::BTreeSet;

use chancery::domain::account::{Account, AccountStatus, CredentialKind, Health};
use chancery::domain::audit::NewEntry;
use chancery::domain::id::{
    AccountId, MailItemId, MessageId, NotificationId, PersonId, UnitId, WebhookId, WebhookTryId,
};
use chancery::domain::outbox::{Locale, Occasion};
use chancery::domain::outbox_text::Names;
use chancery::domain::unit::{Approval, Unit, UnitKind, UnitName};
use chancery::store::credentials::Credential;
use chancery::store::mail_items::{NewItem, Waiting};
use chancery::store::notifications::{Mine, NewNotification, Settings};
use chancery::store::outbox::{Message, Reach};
use chancery::store::people::Person;
use chancery::store::webhook_tries::Try;
use chancery::store::webhooks::{SealedSecret, Standing, Webhook};
use chancery::store::{
    Error, Tx, accounts, audit, credentials, incidents, installation, jobs, mail_items,
    notifications, outbox, people, sealed, units, webhook_tries, webhooks,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::database::both;

fn now() -> Timestamp {
    "2026-09-02T02:00:00Z".parse().unwrap()
}

fn later(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

async fn person(tx: &mut Tx, number: u128, administrator: bool) -> PersonId {
    let id = PersonId::new(now(), number);
    let person = Person {
        id: id.clone(),
        email: format!("{number}@mofa.example"),
        name: "An".to_owned(),
        administrator,
        disabled_at: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    people::insert(tx, &person, None).await.unwrap();
    id
}

fn message(number: u128, account: Option<&AccountId>) -> Message {
    Message {
        id: MessageId::new(now(), number),
        event: Occasion::DeliveryFailed,
        at: now(),
        account_id: account.cloned(),
        data: json!({"delivery_id": "dlv_1", "number": 1}),
        names: Names { what: "Quốc khánh".into(), ..Names::default() },
    }
}

fn entry(action: &str, subject: &str) -> NewEntry {
    NewEntry {
        actor: "engine".into(),
        action: action.into(),
        subject: subject.into(),
        detail: json!({"code": "late"}),
    }
}

async fn account(tx: &mut Tx) -> Account {
    let unit = Unit {
        id: UnitId::new(now(), 1),
        name: UnitName { vi: "Bộ".into(), en: "Ministry".into() },
        kind: UnitKind::Ministry,
        parent_id: None,
        country: None,
        time_zone: "UTC".into(),
        languages: vec!["vi".into()],
        approval: Approval::None,
        opened_on: None,
        closed_on: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    units::insert(tx, &unit).await.unwrap();
    let account = Account {
        id: AccountId::new(now(), 1),
        unit_id: unit.id,
        platform: "somewhere".into(),
        remote_id: "1".into(),
        display_name: "Page".into(),
        handle: None,
        languages: vec!["vi".into()],
        time_zone: "UTC".into(),
        status: AccountStatus::Connected,
        health: Health::default(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    accounts::insert(tx, &account).await.unwrap();
    account
}

fn webhook(number: u128) -> Webhook {
    Webhook {
        id: WebhookId::new(now(), number),
        url: "https://hooks.example.org/".into(),
        description: String::new(),
        events: vec![Occasion::DeliveryFailed],
        secret: SealedSecret { version: 1, key_id: "1".into(), sealed: vec![1, 2] },
        previous: None,
        failing_since: None,
        succeeded_at: None,
        disabled: None,
        version: 1,
        created_by: "usr_1".into(),
        created_at: now(),
        updated_at: now(),
    }
}

both! {
    async fn the_cursor_goes_through_the_audit_once(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        assert_eq!(outbox::reach(&mut tx).await.unwrap(), Reach { done: 0, newest: 0 });
        let account = account(&mut tx).await;
        let entries = [
            entry("account.needs_reconnect", account.id.as_str()),
            entry("delivery.publishing", "dlv_1"),
            entry("delivery.failed", "dlv_1"),
        ];
        audit::append(&mut tx, &entries, now());
        tx.commit().await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert_eq!(outbox::reach(&mut tx).await.unwrap(), Reach { done: 0, newest: 3 });
        let happened = outbox::happened(&mut tx, 0, 3).await.unwrap();
        let seen: Vec<_> = happened.iter().map(|it| it.action.as_str()).collect();
        assert_eq!(seen, ["account.needs_reconnect", "delivery.failed"]);
        assert_eq!((happened[0].at, happened[0].hash.len()), (now(), 64));
        assert_eq!(happened[1].detail, json!({"code": "late"}));
        assert_eq!(outbox::happened(&mut tx, 1, 2).await.unwrap().len(), 0);
        assert!(outbox::move_cursor(&mut tx, 0, 3).await.unwrap());
        assert!(!outbox::move_cursor(&mut tx, 0, 3).await.unwrap());
        let facts = outbox::account_facts(&mut tx, &[account.id.as_str(), "dlv_1"]).await.unwrap();
        assert_eq!((facts.len(), facts[0].display_name.as_str()), (1, "Page"));
        assert_eq!(outbox::delivery_facts(&mut tx, &["dlv_1"]).await.unwrap().len(), 0);
    }

    async fn messages_are_written_once_and_reach_inboxes(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let account = AccountId::new(now(), 1);
        let (admin, other) = (person(&mut tx, 1, true).await, person(&mut tx, 2, false).await);
        let heard = outbox::listeners(&mut tx, &[]).await.unwrap();
        assert_eq!((heard.len(), heard[0].inbox.clone()), (1, Occasion::usual()));
        assert_eq!(outbox::listeners(&mut tx, &[other.as_str()]).await.unwrap().len(), 2);
        let messages = [message(1, Some(&account)), message(2, None)];
        outbox::insert(&mut tx, &messages, now()).await.unwrap();
        outbox::insert(&mut tx, &messages, now()).await.unwrap();
        let found = outbox::find(&mut tx, &[&messages[0].id]).await.unwrap();
        assert_eq!(found, messages[..1]);
        let own = |number, message: &Message| NewNotification {
            id: NotificationId::new(now(), number),
            person_id: admin.clone(),
            message_id: message.id.clone(),
            account_id: message.account_id.clone(),
        };
        let all = [own(1, &messages[0]), own(2, &messages[1])];
        notifications::insert(&mut tx, &all, now()).await.unwrap();
        notifications::insert(&mut tx, &[own(3, &messages[0])], now()).await.unwrap();
        let mine = Mine { person_id: &admin, accounts: None };
        let listed = notifications::list(&mut tx, &mine, true, None, 10).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!((&listed[0].id, &listed[0].message), (&all[1].id, &messages[1]));
        let rest = notifications::list(&mut tx, &mine, false, Some(&all[1].id), 10).await.unwrap();
        assert_eq!(rest.len(), 1);
        let accounts = BTreeSet::from([account]);
        let limited = Mine { person_id: &admin, accounts: Some(&accounts) };
        assert_eq!(notifications::unread(&mut tx, &limited).await.unwrap(), 1);
        let hidden = notifications::read_one(&mut tx, &limited, &all[1].id, now()).await;
        assert!(matches!(hidden, Err(Error::NotFound)));
        assert!(notifications::read_one(&mut tx, &mine, &all[0].id, now()).await.unwrap());
        assert!(!notifications::read_one(&mut tx, &mine, &all[0].id, now()).await.unwrap());
        assert_eq!(notifications::read_up_to(&mut tx, &limited, &all[1].id, now()).await.unwrap(), 0);
        assert_eq!(notifications::read_up_to(&mut tx, &mine, &all[1].id, now()).await.unwrap(), 1);
        assert_eq!(notifications::unread(&mut tx, &mine).await.unwrap(), 0);
        assert_eq!(notifications::forget(&mut tx, now()).await.unwrap(), 0);
        assert_eq!(notifications::forget(&mut tx, later(1)).await.unwrap(), 2);
        assert_eq!(outbox::forget(&mut tx, later(1)).await.unwrap(), 2);
    }

    async fn settings_follow_their_version(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let id = person(&mut tx, 1, true).await;
        let mut settings = notifications::settings(&mut tx, &id).await.unwrap();
        assert_eq!(settings, Settings::default());
        settings = Settings { locale: Locale::En, mail: vec![Occasion::DeliveryFailed], version: 1, ..settings };
        notifications::put_settings(&mut tx, &id, &settings, now()).await.unwrap();
        assert_eq!(notifications::settings(&mut tx, &id).await.unwrap(), settings);
        let stale = notifications::put_settings(&mut tx, &id, &settings, now()).await;
        assert!(matches!(stale, Err(Error::Stale)));
        settings.version = 2;
        notifications::put_settings(&mut tx, &id, &settings, now()).await.unwrap();
        let heard = outbox::listeners(&mut tx, &[]).await.unwrap();
        assert_eq!((heard[0].locale, heard[0].mail.clone()), (Locale::En, settings.mail));
    }

    async fn mail_waits_until_it_is_sent(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let id = person(&mut tx, 1, true).await;
        let messages = [message(1, None), message(2, None), message(3, None)];
        outbox::insert(&mut tx, &messages, now()).await.unwrap();
        let items: Vec<NewItem> = (1..).zip(&messages).map(|(number, message)| NewItem {
            id: MailItemId::new(now(), number),
            person_id: id.clone(),
            event: message.event,
            message_id: message.id.clone(),
        }).collect();
        mail_items::insert(&mut tx, &items, now()).await.unwrap();
        mail_items::insert(&mut tx, &items, now()).await.unwrap();
        let event = Occasion::DeliveryFailed;
        let waiting = |last_at| Waiting { person_id: id.clone(), event, last_at };
        assert_eq!(mail_items::waiting(&mut tx).await.unwrap(), [waiting(None)]);
        let listed = mail_items::items(&mut tx, &id, event, 2).await.unwrap();
        assert_eq!((listed.len(), &listed[0].message), (2, &messages[0]));
        let to = mail_items::reached(&mut tx, &id).await.unwrap().unwrap();
        assert_eq!((to.email.as_str(), to.locale), ("1@mofa.example", Locale::Vi));
        mail_items::close(&mut tx, &[&items[0].id], "sent", later(1)).await.unwrap();
        assert_eq!(mail_items::waiting(&mut tx).await.unwrap(), [waiting(Some(later(1)))]);
        // Somebody is about to send it.
        let job = chancery::domain::work::Mail { person_id: id.clone(), event };
        let job = jobs::NewJob {
            id: chancery::domain::id::JobId::new(now(), 1),
            kind: chancery::domain::work::MAIL,
            unique_key: chancery::domain::work::mail_key(&job),
            slot: "mail".into(),
            payload: json!(job),
            priority: 8,
            due_at: now(),
        };
        jobs::enqueue(&mut tx, &[job], now()).await.unwrap();
        assert_eq!(mail_items::waiting(&mut tx).await.unwrap(), []);
        mail_items::close_all(&mut tx, &id, event, "given_up", now()).await.unwrap();
        assert_eq!(mail_items::items(&mut tx, &id, event, 9).await.unwrap().len(), 0);
        assert_eq!(mail_items::forget(&mut tx, later(1)).await.unwrap(), 3);
    }

    async fn what_is_sealed_is_sealed_again_once(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let account = account(&mut tx).await;
        credentials::put(&mut tx, &Credential {
            account_id: account.id.clone(),
            kind: CredentialKind::Oauth2,
            version: 3,
            key_id: "1".into(),
            sealed: vec![1],
            refresh: Some(vec![2]),
            expires_at: None,
            updated_at: now(),
        }).await.unwrap();
        let mut one = webhook(1);
        webhooks::insert(&mut tx, &one).await.unwrap();
        webhooks::insert(&mut tx, &webhook(2)).await.unwrap();
        one.previous = Some((one.secret.clone(), later(24)));
        one.secret = SealedSecret { version: 2, key_id: "2".into(), sealed: vec![3] };
        webhooks::update(&mut tx, &one, 1).await.unwrap();
        let uses = |one, two| vec![("1".to_owned(), one), ("2".to_owned(), two)];
        assert_eq!(sealed::keys(&mut tx).await.unwrap(), uses(3, 1));

        let rows = sealed::credentials(&mut tx, "2", "", 9).await.unwrap();
        assert_eq!((rows.len(), rows[0].version, &rows[0].remote_id), (1, 3, &account.remote_id));
        assert!(sealed::credentials(&mut tx, "2", account.id.as_str(), 9).await.unwrap().is_empty());
        assert!(sealed::reseal_credential(&mut tx, &rows[0], "2", &[4], Some(&[5])).await.unwrap());
        // It was replaced since it was read.
        assert!(!sealed::reseal_credential(&mut tx, &rows[0], "2", &[6], None).await.unwrap());
        let kept = credentials::find(&mut tx, &account.id).await.unwrap().unwrap();
        assert_eq!((kept.key_id.as_str(), kept.sealed, kept.refresh), ("2", vec![4], Some(vec![5])));
        assert_eq!(kept.version, 3);

        // Of the first the secret before it, of the second the only one.
        let rows = sealed::webhooks(&mut tx, "2", "", 9).await.unwrap();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            let previous = row.previous_sealed.as_ref().map(|_| &[8_u8][..]);
            assert!(sealed::reseal_webhook(&mut tx, row, "2", &[7], previous).await.unwrap());
        }
        assert!(!sealed::reseal_webhook(&mut tx, &rows[1], "2", &[9], None).await.unwrap());
        let both = webhooks::find(&mut tx, &[&rows[0].id, &rows[1].id]).await.unwrap();
        let before = both.iter().find_map(|it| it.previous.as_ref()).unwrap();
        assert_eq!((before.0.key_id.as_str(), &before.0.sealed), ("2", &vec![8]));
        assert_eq!(both.iter().filter(|it| it.previous.is_some()).count(), 1);
        assert_eq!(sealed::keys(&mut tx).await.unwrap(), [("2".to_owned(), 4)]);
        assert!(sealed::webhooks(&mut tx, "2", "", 9).await.unwrap().is_empty());

        installation::load_or_create(&mut tx, "g", &[1], now()).await.unwrap();
        sealed::keep_check(&mut tx, &[2]).await.unwrap();
        assert_eq!(installation::find(&mut tx).await.unwrap().unwrap().key_check, [2]);
    }

    async fn webhooks_stand_and_fall(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let mut one = webhook(1);
        webhooks::insert(&mut tx, &one).await.unwrap();
        webhooks::insert(&mut tx, &webhook(2)).await.unwrap();
        assert_eq!(webhooks::hearing(&mut tx).await.unwrap().len(), 2);
        assert_eq!(webhooks::list(&mut tx, Some(&one.id), 9).await.unwrap().len(), 1);
        one.previous = Some((one.secret.clone(), later(24)));
        one.secret = SealedSecret { version: 2, key_id: "2".into(), sealed: vec![3] };
        webhooks::update(&mut tx, &one, 1).await.unwrap();
        assert!(matches!(webhooks::update(&mut tx, &one, 1).await, Err(Error::Stale)));
        let found = webhooks::find(&mut tx, &[&one.id]).await.unwrap().remove(0);
        let (previous, until) = found.previous.unwrap();
        assert_eq!((found.secret.version, previous.version, previous.sealed), (2, 1, vec![1, 2]));
        assert_eq!((until, found.version), (later(24), 2));
        let stands = |well, disable| [Standing { id: one.id.clone(), well, disable }];
        let patience = |hours| later(hours - 48);
        for (hours, well, disabled) in [(0, false, false), (47, false, false), (48, true, false),
                                        (49, false, false), (98, false, true), (99, false, false)] {
            let stands = stands(well, None);
            let fallen = webhooks::stand(&mut tx, &stands, later(hours), patience(hours)).await.unwrap();
            assert_eq!(fallen.len(), usize::from(disabled), "after {hours} h");
        }
        let found = webhooks::find(&mut tx, &[&one.id]).await.unwrap().remove(0);
        assert_eq!(found.disabled, Some((later(98), "failing".to_owned())));
        assert_eq!((found.failing_since, found.succeeded_at), (Some(later(49)), Some(later(48))));
        assert_eq!((found.version, webhooks::hearing(&mut tx).await.unwrap().len()), (3, 1));
        let gone = [Standing { id: webhook(2).id, well: false, disable: Some("gone") }];
        assert_eq!(webhooks::stand(&mut tx, &gone, later(99), patience(99)).await.unwrap().len(), 1);
        let tried = |number: i64, id: &WebhookId| Try {
            id: WebhookTryId::new(now(), u128::try_from(number).unwrap()),
            webhook_id: id.clone(),
            message_id: MessageId::new(now(), 1),
            event: Occasion::DeliveryFailed,
            number,
            outcome: "refused",
            status: Some(500),
            detail: "answered 500".into(),
            took_ms: 7,
            next_at: (number == 1).then(|| later(1)),
        };
        // One of them is of a webhook that was removed meanwhile.
        let all = [tried(1, &one.id), tried(2, &one.id), tried(3, &webhook(3).id)];
        webhook_tries::insert(&mut tx, &all, later(2)).await.unwrap();
        let listed = webhook_tries::list(&mut tx, &one.id, None, 9).await.unwrap();
        let numbers: Vec<i64> = listed.iter().map(|it| it.number).collect();
        assert_eq!((numbers, listed[1].next_at, listed[0].at), (vec![2, 1], Some(later(1)), later(2)));
        let rest = webhook_tries::list(&mut tx, &one.id, Some(&listed[0].id), 9).await.unwrap();
        assert_eq!(rest.len(), 1);
        webhook_tries::remove(&mut tx, &one.id).await.unwrap();
        assert!(webhooks::remove(&mut tx, &one.id).await.unwrap());
        assert!(!webhooks::remove(&mut tx, &one.id).await.unwrap());
        assert_eq!(webhook_tries::forget(&mut tx, later(9)).await.unwrap(), 0);
    }

    async fn an_incident_begins_and_ends_once(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        assert!(!incidents::close(&mut tx, "late").await.unwrap());
        assert!(incidents::open(&mut tx, "late", now()).await.unwrap());
        assert!(!incidents::open(&mut tx, "late", now()).await.unwrap());
        assert_eq!(incidents::began(&mut tx, "late").await.unwrap(), Some(now()));
        incidents::prolong(&mut tx, "late", later(3)).await.unwrap();
        assert_eq!(incidents::began(&mut tx, "late").await.unwrap(), Some(later(3)));
        assert!(incidents::close(&mut tx, "late").await.unwrap());
        assert_eq!(incidents::began(&mut tx, "late").await.unwrap(), None);
        assert!(!incidents::close(&mut tx, "late").await.unwrap());
    }
}
