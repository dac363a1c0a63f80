//! What keeps requests within bounds: circuits and their one probe, on both databases.

use chancery::domain::budget::Said;
use chancery::domain::circuit::{Circuit, Concerned, Rules, Weight};
use chancery::domain::id::{AccountId, DeliveryId};
use chancery::store::{budgets, circuits};
use jiff::Timestamp;
use std::time::Duration;

use crate::database::both;

const RULES: Rules = Rules {
    failures: 1,
    accounts: 1,
    window: Duration::from_mins(1),
    first: Duration::from_secs(30),
    most: Duration::from_mins(1),
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

both! {
    async fn creates_are_counted_by_slice_and_account(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        budgets::lock(&mut tx, "x").await.unwrap();
        assert_eq!(budgets::spent(&mut tx, "x", at(0)).await.unwrap(), (0, None));
        for (slice, count) in [(10, 2), (20, 3), (20, 4)] {
            budgets::spend(&mut tx, "x", at(slice), count, 0).await.unwrap();
        }
        assert_eq!(budgets::spent(&mut tx, "x", at(0)).await.unwrap(), (9, Some(at(10))));
        assert_eq!(budgets::spent(&mut tx, "x", at(10)).await.unwrap(), (7, Some(at(20))));
        assert_eq!(budgets::spent(&mut tx, "facebook", at(0)).await.unwrap(), (0, None));
        assert_eq!(budgets::forget(&mut tx, at(15)).await.unwrap(), 1);

        let word = |left, until| Said {
            scope: "x".to_owned(),
            name: "day".to_owned(),
            most: 50,
            left,
            counted: true,
            until: at(until),
        };
        let scopes = ["x", "x/a"];
        assert_eq!(budgets::said(&mut tx, &scopes, at(1)).await.unwrap(), []);
        budgets::say(&mut tx, &word(9, 60), at(1)).await.unwrap();
        budgets::line_up(&mut tx, &["x"]).await.unwrap();
        budgets::use_up(&mut tx, &["x"], 3, at(2)).await.unwrap();
        assert_eq!(budgets::said(&mut tx, &scopes, at(2)).await.unwrap(), [word(6, 60)]);
        // An older answer that comes late does not give back what was used since; a lower count and
        // the next window count.
        for (said, seen) in [(word(8, 60), 6), (word(4, 60), 4), (word(49, 90), 49)] {
            budgets::say(&mut tx, &said, at(3)).await.unwrap();
            let found = budgets::said(&mut tx, &scopes, at(3)).await.unwrap();
            assert_eq!((found.len(), found[0].left), (1, seen));
        }
        let share = Said { counted: false, name: "pages".to_owned(), ..word(14, 90) };
        budgets::say(&mut tx, &share, at(4)).await.unwrap();
        budgets::use_up(&mut tx, &["x"], 3, at(4)).await.unwrap();
        let mut left: Vec<i64> =
            budgets::said(&mut tx, &scopes, at(4)).await.unwrap().iter().map(|it| it.left).collect();
        left.sort_unstable();
        assert_eq!(left, [14, 46], "a share is not counted down");
        assert_eq!(budgets::said(&mut tx, &scopes, at(90)).await.unwrap(), []);
        assert_eq!(budgets::forget(&mut tx, at(91)).await.unwrap(), 3);

        for (cost, sum) in [(200_000, 200_000), (15_000, 215_000), (-15_000, 200_000)] {
            let spent = budgets::spend(&mut tx, "money:x", at(5), 1, cost).await.unwrap();
            assert_eq!(spent, sum);
        }
        assert_eq!(budgets::cost(&mut tx, "money:x", at(5)).await.unwrap(), 200_000);
        let looked = budgets::looked(&mut tx, &["money:x", "x"], at(0)).await.unwrap();
        assert_eq!(looked, [("money:x".to_owned(), 3, at(5))]);
        assert_eq!(budgets::looked(&mut tx, &["money:x"], at(5)).await.unwrap(), []);
        assert_eq!(budgets::cost(&mut tx, "money:x", at(6)).await.unwrap(), 0);
        assert_eq!(budgets::forget(&mut tx, at(99)).await.unwrap(), 0, "not what a month cost");
        let nobody = DeliveryId::new(at(0), 1);
        assert!(budgets::contents(&mut tx, &[&nobody]).await.unwrap().is_empty());
        assert!(budgets::dues(&mut tx, &[&nobody]).await.unwrap().is_empty());

        let account = AccountId::new(at(0), 1);
        let names = [account.as_str()];
        assert!(budgets::crowded(&mut tx, &names, at(0), 1).await.unwrap().is_empty());
        assert!(budgets::last_sent(&mut tx, &names, at(0)).await.unwrap().is_empty());
        let none = budgets::planned(&mut tx, &[account], at(0), at(9)).await.unwrap();
        assert!(none.is_empty());
    }

    async fn a_circuit_comes_back_as_it_was_and_has_one_probe(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let whom = Concerned { account: "x/a", content: "hash" };
        let mut circuit = Circuit::closed("x");
        circuit.refused("401", (Weight::Account, "no"), &whom, at(1), &RULES);
        circuits::save(&mut tx, &circuit, at(1)).await.unwrap();
        let mut account = Circuit::closed("x/a");
        account.failed(&whom, "silent", at(1), &RULES);
        circuits::save(&mut tx, &account, at(1)).await.unwrap();
        account.failed(&whom, "silent", at(2), &RULES);
        circuits::save(&mut tx, &account, at(2)).await.unwrap();
        let mut found = circuits::find(&mut tx, &["x", "x/a", "y"]).await.unwrap();
        found.sort_by(|a, b| a.scope.cmp(&b.scope));
        assert_eq!(found, [circuit, account]);
        let mut open = circuits::open(&mut tx).await.unwrap();
        open.sort();
        assert_eq!(open, [("x".to_owned(), true), ("x/a".to_owned(), false)]);

        let scopes = ["x", "x/a"];
        assert_eq!(circuits::probe(&mut tx, &scopes, at(40), at(60)).await.unwrap().len(), 2);
        assert!(circuits::probe(&mut tx, &scopes, at(59), at(80)).await.unwrap().is_empty());
        circuits::unused(&mut tx, &["x"]).await.unwrap();
        assert_eq!(circuits::probe(&mut tx, &scopes, at(59), at(80)).await.unwrap(), ["x"]);
        circuits::close(&mut tx, &["x"]).await.unwrap();
        assert_eq!(circuits::find(&mut tx, &scopes).await.unwrap().len(), 1);
    }
}
