//! Polls on X against its simulator: sent as they were set, and told from a post that only says the same.

use serde_json::{Value, json};

use super::outcome::{Lookup, Outcome};
use super::session::{Item, Place, Probe, Progress};
use super::subjects::{Stage, Subject, item};
use crate::simulator::{Fault, Kind, Operation};

const TEXT: &str = "Bạn sẽ dự lễ ở đâu?";

fn poll() -> Value {
    json!({"poll": {"options": ["Hà Nội ", "Paris"], "duration_minutes": 1_440}})
}

fn x(stage: &Stage) -> &Subject {
    stage.subjects.iter().find(|subject| subject.id == "x").expect("X")
}

async fn publish(stage: &Stage, settings: Value) -> Outcome {
    let x = x(stage);
    let item = Item { settings, link: None, ..item(TEXT, 0) };
    let leave = Box::pin(std::future::ready(Ok(())));
    let mut progress = Progress::default();
    let session = stage.session(&x.remote_id, &x.token);
    let said = stage.client(x).publish(&session, &item, &mut progress, leave).await;
    said.expect("left").value
}

async fn find(stage: &Stage, settings: Value) -> Lookup {
    let x = x(stage);
    let probe = Probe {
        delivery: None,
        text: TEXT.to_owned(),
        link: None,
        media_count: 0,
        high_water: None,
        started_at: stage.now(),
        remote_id: None,
        taken: Vec::new(),
        place: Place::First,
        settings,
        film: false,
        made: None,
    };
    let session = stage.session(&x.remote_id, &x.token);
    stage.client(x).find(&session, &probe).await.value
}

#[tokio::test]
async fn a_poll_is_sent_as_it_was_set_and_found_after_doubt() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    world.faults().push(Fault::once(x(&stage).side, Operation::Create, Kind::DropAfter));
    let said = publish(&stage, poll()).await;
    assert!(matches!(said, Outcome::Unknown(_)), "{said:?}");
    let posts = world.posts(x(&stage).side, &x(&stage).account);
    let expected = (vec!["Hà Nội".to_owned(), "Paris".to_owned()], 1_440);
    assert_eq!(posts[0].poll.as_ref(), Some(&expected));
    for (settings, name) in [(poll(), "the poll"), (Value::Null, "what is not known")] {
        let found = find(&stage, settings).await;
        assert!(
            matches!(&found, Lookup::Found(it) if it.remote_id == posts[0].id),
            "{name}: {found:?}"
        );
    }
    // X says that this one has a poll, which was not sent.
    assert_eq!(find(&stage, json!({})).await, Lookup::Absent);
}

#[tokio::test]
async fn a_post_without_its_poll_is_a_persons_to_judge() {
    let stage = Stage::new().await;
    let said = publish(&stage, json!({})).await;
    assert!(matches!(said, Outcome::Published(_)), "{said:?}");
    let found = find(&stage, poll()).await;
    assert!(matches!(&found, Lookup::Several(posts) if posts.len() == 1), "{found:?}");
    assert!(matches!(find(&stage, json!({})).await, Lookup::Found(_)));
}

#[tokio::test]
async fn the_form_of_a_poll_is_held_to() {
    let stage = Stage::new().await;
    let platform = |id: &str| stage.platforms.get(id).expect("platform");
    let set = |options: &[&str], minutes: u32| json!({"poll": {"options": options, "duration_minutes": minutes}});
    for (id, settings, wrong) in [
        ("x", set(&["Có", "Không"], 5), None),
        ("x", set(&[&"ế".repeat(25), "b", "c", "d"], 10_080), None),
        ("x", set(&["Có"], 5), Some("/poll/options")),
        ("x", set(&["a", "b", "c", "d", "e"], 5), Some("/poll/options")),
        ("x", set(&["a", &"ế".repeat(26)], 5), Some("/poll/options/1")),
        ("x", set(&["a", " "], 5), Some("/poll/options/1")),
        ("x", set(&["a", "a "], 5), Some("/poll/options/1")),
        ("x", set(&["a", "b\nc"], 5), Some("/poll/options/1")),
        ("x", set(&["a", "b"], 4), Some("/poll/duration_minutes")),
        ("x", set(&["a", "b"], 10_081), Some("/poll/duration_minutes")),
        ("x", json!({"poll": {"options": ["a", "b"]}}), Some("/poll")),
        ("facebook", set(&["a", "b"], 5), Some("/poll")),
    ] {
        let found = platform(id).check_settings(&settings);
        let place = found.first().map(|(pointer, _)| pointer.as_str());
        assert_eq!(place, wrong, "{id} {settings}: {found:?}");
    }
    let described = platform("x").settings_schema()["properties"]["poll"].to_string();
    for word in ["options", "duration_minutes", "10080", "maxItems"] {
        assert!(described.contains(word), "{described}");
    }
}
