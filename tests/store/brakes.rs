//! What keeps requests within bounds: circuits and their one probe, on both databases.

use chancery::domain::circuit::{Circuit, Concerned, Rules, Weight};
use chancery::store::circuits;
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
