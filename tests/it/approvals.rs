//! Approvals: nothing goes out before enough people have said yes to exactly that, nor after one of them has
//! taken it back, whatever happens in between.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::approval::ApprovalState;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, PostId};
use chancery::service::approvals::{self, Decided};
use chancery::service::deliveries;
use chancery::service::people;
use chancery::service::posts;
use chancery::service::{Caller, Error};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::planning::{Desk, place_of, schedule_of};
use crate::recovery::{lose, succeeds};
use crate::stage::{Kind, Outlet, Stage, Wanted, pass, staged};
use crate::world::{World, both, embassy};

/// How many approvals the unit of the stage wants.
async fn wants(stage: &Stage, how_many: &str) {
    stage.setting().database.execute(&format!("UPDATE units SET approval = '{how_many}'")).await;
}

/// Somebody who may approve there.
async fn approver(stage: &Stage, name: &str) -> Caller {
    let email = format!("{name}@mofa.example");
    let unit =
        posts::show(stage.acts(), stage.caller(), &stage.write(&Wanted::text(name)).await).await;
    let roles = json!([{"unit_id": unit.unwrap().unit_id, "role": "approver"}]);
    let new = json!({"email": email, "name": name, "roles": roles});
    people::create(stage.acts(), stage.caller(), serde_json::from_value(new).unwrap())
        .await
        .unwrap();
    let actor = people::at_the_console(stage.acts(), &email).await.unwrap();
    Caller { actor, ..stage.caller().clone() }
}

/// What somebody says to a post as it is now.
async fn says(
    stage: &Stage,
    caller: &Caller,
    post: &PostId,
    decision: &str,
) -> Result<Decided, Error> {
    let seen = posts::show(stage.acts(), stage.caller(), post).await.unwrap();
    let said = json!({
        "revision": seen.revision, "content_hash": seen.content_hash, "decision": decision,
        "plan_hash": seen.approvals.plan_hash,
    });
    let said = serde_json::from_value(said).unwrap();
    approvals::decide(stage.acts(), caller, post, said).await.map(|done| done.value)
}

/// Plans a delivery that goes out once it is approved.
async fn planned(stage: &Stage, post: &PostId, outlet: &Outlet, wanted: &Wanted) -> DeliveryId {
    let id = stage.plan(post, &[wanted.delivery(outlet)]).await.remove(0);
    assert_eq!(state(stage, &id).await, DeliveryState::PendingApproval);
    id
}

fn in_minutes(stage: &Stage, minutes: u64) -> Timestamp {
    after(stage.now(), Duration::from_mins(minutes))
}

fn code<T: std::fmt::Debug>(refused: Result<T, Error>) -> &'static str {
    let error = refused.unwrap_err();
    let what = format!("{error:?}");
    let (Error::Conflict(told) | Error::Forbidden(told)) = error else { panic!("{what}") };
    told.code
}

async fn state(stage: &Stage, id: &DeliveryId) -> DeliveryState {
    stage.show(id).await.delivery.state
}

staged! {
    /// Two must, and the author is none of them. What was planned waits past its instant, and goes out once
    /// the second has said yes.
    async fn nothing_goes_out_before_all_have_said_yes(stage) {
        let [outlet, _] = stage.both().await;
        let [first, second] = [approver(stage, "chi").await, approver(stage, "dung").await];
        wants(stage, "two").await;
        let wanted = Wanted::text("for two").at(in_minutes(stage, 10));
        let wanted = wanted.publish_by(in_minutes(stage, 240));
        let post = stage.write(&wanted).await;
        let now = stage.try_schedule(&post, &[wanted.delivery(&outlet)]).await;
        assert_eq!(code(now), "approval_required");
        let id = planned(stage, &post, &outlet, &wanted).await;
        assert_eq!(code(says(stage, stage.caller(), &post, "approve").await), "own_work");
        let once = says(stage, &first, &post, "approve").await.unwrap();
        assert_eq!((once.approvals.given, once.approvals.state), (1, ApprovalState::Wanted));
        let again = says(stage, &first, &post, "approve").await.unwrap();
        assert_eq!(again.approvals.given, 1, "one person is one");
        stage.advance(Duration::from_mins(11));
        pass(Duration::from_millis(300)).await;
        assert_eq!(state(stage, &id).await, DeliveryState::PendingApproval);
        assert_eq!(stage.creates(&outlet), []);
        let twice = says(stage, &second, &post, "approve").await.unwrap();
        assert_eq!((twice.approvals.given, twice.approvals.state), (2, ApprovalState::Given));
        stage.published(&id).await;
        assert_eq!(stage.made(&outlet), 1);
    }

    /// Whoever said yes may not say so any more: nobody acts, and the guard finds it out by itself. When he may
    /// again, it goes on.
    async fn the_guard_asks_whether_the_yes_still_counts(stage) {
        let [outlet, _] = stage.both().await;
        let chief = approver(stage, "chi").await;
        wants(stage, "one").await;
        let wanted = Wanted::text("by the chief").at(in_minutes(stage, 10));
        let wanted = wanted.publish_by(in_minutes(stage, 240));
        let post = stage.write(&wanted).await;
        says(stage, &chief, &post, "approve").await.unwrap();
        let id = stage.schedule(&post, &[wanted.delivery(&outlet)]).await.remove(0);
        assert_eq!(state(stage, &id).await, DeliveryState::Scheduled);
        let database = &stage.setting().database;
        database.execute("UPDATE roles SET role = 'reader' WHERE role = 'approver'").await;
        stage.advance(Duration::from_mins(11));
        stage.until(&id, DeliveryState::PendingApproval).await;
        let shown = stage.show(&id).await.delivery.waits_for.unwrap();
        assert_eq!(shown.code, "approval");
        assert_eq!(stage.creates(&outlet), []);
        database.execute("UPDATE roles SET role = 'approver' WHERE role = 'reader'").await;
        stage.advance(Duration::from_mins(2));
        stage.published(&id).await;
        assert_eq!(stage.made(&outlet), 1);
    }

    /// Another text, another time: neither is what was approved. Without a yes in time it ends as missed, and
    /// says why.
    async fn what_was_changed_or_moved_is_to_be_approved_again(stage) {
        let [outlet, other] = stage.both().await;
        let chief = approver(stage, "chi").await;
        wants(stage, "one").await;
        let wanted = Wanted::text("first words").at(in_minutes(stage, 10));
        let wanted = wanted.publish_by(in_minutes(stage, 60));
        let post = stage.write(&wanted).await;
        let id = planned(stage, &post, &outlet, &wanted).await;
        says(stage, &chief, &post, "approve").await.unwrap();
        assert_eq!(state(stage, &id).await, DeliveryState::Scheduled);
        let change = json!({"variants": [Wanted::text("other words").variant()]});
        let change = serde_json::from_value(change).unwrap();
        let changed = posts::change(stage.acts(), stage.caller(), &post, None, change).await.unwrap();
        assert_eq!(changed.value.approvals.given, 0);
        assert_eq!(state(stage, &id).await, DeliveryState::PendingApproval);

        let wanted = Wanted::text("to be moved").at(in_minutes(stage, 10));
        let moving = stage.write(&wanted).await;
        let moved = planned(stage, &moving, &other, &wanted).await;
        says(stage, &chief, &moving, "approve").await.unwrap();
        let to = json!({"at": in_minutes(stage, 20).to_string()});
        let to = serde_json::from_value(to).unwrap();
        let view = deliveries::reschedule(stage.acts(), stage.caller(), &moved, None, to).await;
        assert_eq!(view.unwrap().value.state, DeliveryState::PendingApproval);
        stage.advance(Duration::from_mins(25));
        pass(Duration::from_millis(300)).await;
        assert_eq!((stage.creates(&outlet).len(), stage.creates(&other).len()), (0, 0));
        says(stage, &chief, &moving, "approve").await.unwrap();
        stage.published(&moved).await;
        stage.advance(Duration::from_mins(40));
        stage.until(&id, DeliveryState::Missed).await;
        let problem = stage.show(&id).await.delivery.problem.unwrap();
        assert_eq!(problem.code, "not_approved");
        assert_eq!((stage.made(&outlet), stage.made(&other)), (0, 1));
    }
}

mod reminded {
    use chancery::service::units;

    use super::*;
    use crate::reminders::exactly;
    use crate::webhooks::OPTIONS;

    /// Puts another unit above that of the stage, with somebody who may approve there.
    async fn above(stage: &Stage) -> Caller {
        let unit = serde_json::from_value(embassy()).unwrap();
        let unit = units::create(stage.acts(), stage.caller(), unit).await.unwrap().value.id;
        let director = approver(stage, "giang").await;
        let database = &stage.setting().database;
        let person = &director.actor.person_id;
        database
            .execute(&format!("UPDATE roles SET unit_id = '{unit}' WHERE person_id = '{person}'"))
            .await;
        database
            .execute(&format!("UPDATE units SET parent_id = '{unit}' WHERE id <> '{unit}'"))
            .await;
        director
    }

    staged! { with OPTIONS;
        /// At once the nearest, again after a while, then those above too; and nobody once it is approved.
        async fn approvers_are_reminded_and_then_those_above(stage) {
            let outlet = stage.outlet(chancery::simulator::Platform::X).await;
            let director = above(stage).await;
            let chief = approver(stage, "chi").await;
            wants(stage, "one").await;
            let wanted = Wanted::text("forgotten").at(in_minutes(stage, 72 * 60));
            let post = stage.write(&wanted).await;
            planned(stage, &post, &outlet, &wanted).await;
            exactly(stage, &chief, ASKS, 1).await;
            stage.advance(Duration::from_mins(11));
            exactly(stage, &chief, ASKS, 2).await;
            exactly(stage, &director, ASKS, 0).await;
            stage.advance(Duration::from_mins(50));
            exactly(stage, &director, ASKS, 1).await;
            exactly(stage, &chief, ASKS, 3).await;
            says(stage, &director, &post, "approve").await.unwrap();
            stage.advance(Duration::from_hours(25));
            exactly(stage, &chief, ASKS, 3).await;
        }
    }

    const ASKS: &str = "approval.wanted";
}

mod at_the_gate {
    use super::*;

    staged! {
        with &[("CHANCERY_PUBLISH__LOOKAHEAD", "40s"), ("CHANCERY_PUBLISH__LEASE", "120s")];

        /// It is guarded already and waits for its instant: once the answer is given it does not leave.
        async fn a_yes_is_taken_back_up_to_the_last_instant(stage) {
            let [outlet, _] = stage.both().await;
            let chief = approver(stage, "chi").await;
            wants(stage, "one").await;
            let wanted = Wanted::text("at the gate").at(after(stage.now(), Duration::from_secs(38)));
            let post = stage.write(&wanted).await;
            says(stage, &chief, &post, "approve").await.unwrap();
            let id = stage.schedule(&post, &[wanted.delivery(&outlet)]).await.remove(0);
            stage.until(&id, DeliveryState::Publishing).await;
            let taken = says(stage, &chief, &post, "withdraw").await.unwrap();
            assert_eq!((taken.approvals.given, taken.in_flight), (0, vec![]));
            stage.advance(Duration::from_mins(2));
            stage.until(&id, DeliveryState::PendingApproval).await;
            assert_eq!(stage.creates(&outlet), []);
            assert_eq!(code(says(stage, &chief, &post, "withdraw").await), "nothing_to_withdraw");
        }
    }
}

/// It waited for approval when the backup was made, and was approved and sent after that: it is looked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_and_sent_after_a_backup_is_not_sent_again() {
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let [outlet, _] = stage.both().await;
    let chief = approver(&stage, "chi").await;
    wants(&stage, "one").await;
    let wanted = Wanted::text("after the backup").at(after(stage.now(), Duration::from_secs(1)));
    let wanted = wanted.publish_by(in_minutes(&stage, 240));
    let post = stage.write(&wanted).await;
    let id = planned(&stage, &post, &outlet, &wanted).await;
    pass(Duration::from_millis(1_200)).await;
    let kept = stage.setting().directory().join("backup");
    let kept = kept.to_str().unwrap();
    succeeds(&stage, &["backup", kept]);
    says(&stage, &chief, &post, "approve").await.unwrap();
    stage.published(&id).await;
    stage.stop().await;
    lose(&stage);
    let told = succeeds(&stage, &["restore", kept]);
    assert!(told.contains("1 deliveries may be out"), "{told}");
    stage.resume().await;
    stage.published(&id).await;
    assert_eq!(stage.made(&outlet), 1);
    stage.finish().await;
}

/// A token of somebody with one role in a unit.
async fn officer(world: &World, name: &str, unit: &str, role: &str) -> String {
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = world.ask("POST", "/api/v1/people").json(&person).await.expect(201);
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

/// What is approved with a plan alone, and who frees a unit from all this.
async fn settings_and_the_unit(world: &World, desk: &Desk, (publisher, plan): (&str, &str)) {
    let unit = format!("/api/v1/units/{}", desk.unit);
    let more = json!({"deliveries": [
        {"account_id": desk.profile, "language": "vi", "at": "2031-09-02T02:00:00Z"},
    ]});
    let later = world.ask_as(publisher, "POST", plan).json(&more).await.expect(201);
    assert_eq!(later["deliveries"][0]["state"], "scheduled", "what it says is approved");
    // Readers see the answers of a poll, and nobody has approved them.
    let poll = json!({"poll": {"options": ["Có", "Không"], "duration_minutes": 60}});
    let asked = json!({"deliveries": [
        {"account_id": desk.profile, "language": "vi", "at": "2031-09-03T02:00:00Z", "settings": poll},
    ]});
    let asked = world.ask_as(publisher, "POST", plan).json(&asked).await;
    asked.problem(409, "settings_not_approved");
    // Whoever answers for the unit alone does not free it; where nobody's yes counts, nobody's no does.
    let own = officer(world, "quan", &desk.unit, "administrator").await;
    let free = json!({"approval": "none"});
    let freed = world.ask_as(&own, "PATCH", &unit).seen("*").json(&free).await;
    freed.problem(403, "needs_administrator");
    world.ask("PATCH", &unit).seen("*").json(&free).await.expect(200);
}

both! {
    /// As two officers and their chief go about it.
    async fn a_post_is_submitted_seen_and_approved(world) {
        let desk = Desk::open(world).await;
        let unit = format!("/api/v1/units/{}", desk.unit);
        world.ask("PATCH", &unit).seen("*").json(&json!({"approval": "one"})).await.expect(200);
        let [author, chief, publisher] = [
            officer(world, "an", &desk.unit, "author").await,
            officer(world, "chi", &desk.unit, "approver").await,
            officer(world, "phuong", &desk.unit, "publisher").await,
        ];
        let post = world.ask_as(&author, "POST", "/api/v1/posts").json(&desk.draft()).await.expect(201);
        assert_eq!(post["approvals"]["state"], "missing");
        let (place, plan) = (place_of(&post), schedule_of(&post));
        let deliveries = json!({"deliveries": [
            {"account_id": desk.page, "language": "vi", "at": "2031-09-02T02:00:00Z"},
        ]});
        let early = world.ask_as(&publisher, "POST", &plan).json(&deliveries).await;
        assert_eq!(early.problem(409, "approval_required")["needed"], 1);

        let submit = format!("{place}/submit");
        let asked = world.ask_as(&author, "POST", &submit).send().await.expect(200);
        assert_eq!((&asked["state"], &asked["given"]), (&json!("wanted"), &json!(0)));
        let decide = format!("{place}/approvals");
        let says = async |token: &str, post: &Value, decision: &str| {
            let said = json!({
                "revision": post["revision"], "content_hash": post["content_hash"],
                "decision": decision, "plan_hash": post["approvals"]["plan_hash"],
            });
            world.ask_as(token, "POST", &decide).json(&said).await
        };
        says(&author, &post, "approve").await.problem(403, "needs_role");
        says(&publisher, &post, "approve").await.problem(403, "needs_role");
        let rejected = says(&chief, &post, "reject").await.expect(201);
        assert_eq!(rejected["approvals"]["state"], "rejected");

        // A plan that he has not seen is not what he says yes to.
        let mut waiting = deliveries.clone();
        waiting["awaiting_approval"] = json!(true);
        let made = world.ask_as(&publisher, "POST", &plan).json(&waiting).await.expect(201);
        let delivery = &made["deliveries"][0];
        assert_eq!(delivery["state"], "pending_approval");
        let there = format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap());
        let shown = world.ask_as(&publisher, "GET", &there).send().await.expect(200);
        assert_eq!(shown["waits_for"]["owners"][0]["name"], "chi", "{}", shown["waits_for"]);
        says(&chief, &post, "approve").await.problem(409, "plan_changed");
        let title = json!({"title": "Quốc khánh 2031"});
        world.ask_as(&author, "PATCH", &place).seen("*").json(&title).await.expect(200);
        says(&chief, &post, "approve").await.problem(409, "approval_outdated");
        let seen = world.ask_as(&chief, "GET", &place).send().await.expect(200);
        let given = says(&chief, &seen, "approve").await.expect(201);
        assert_eq!((&given["approvals"]["state"], &given["in_flight"]), (&json!("given"), &json!([])));
        let now = world.ask_as(&publisher, "GET", &there).send().await.expect(200);
        assert_eq!((&now["state"], &now["waits_for"]["code"]), (&json!("scheduled"), &json!("due")));
        let approved = world.ask_as(&author, "GET", &place).send().await.expect(200);
        assert_eq!(approved["variants"][0]["status"], "approved");
        let said: Vec<_> = approved["approvals"]["decisions"].as_array().unwrap().iter()
            .map(|one| one["decision"].as_str().unwrap()).collect();
        assert_eq!(said, ["reject", "approve"]);
        settings_and_the_unit(world, &desk, (&publisher, &plan)).await;
        says(&chief, &approved, "reject").await.problem(409, "approval_not_needed");
    }
}

/// Plans a delivery of a post that waits for approval.
async fn waits(world: &World, desk: &Desk, publisher: &str, post: &Value, at: &str) {
    let plan = json!({"awaiting_approval": true, "deliveries": [
        {"account_id": desk.page, "language": "vi", "at": at},
    ]});
    let made = world.ask_as(publisher, "POST", &schedule_of(post)).json(&plan).await.expect(201);
    assert_eq!(made["deliveries"][0]["state"], "pending_approval");
}

/// The posts that wait for the approval of somebody, by pages of one.
async fn mine(world: &World, token: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = format!("/api/v1/posts?approval=wanted&owner=me&limit=1{cursor}");
        let page = world.ask_as(token, "GET", &list).send().await.expect(200);
        found.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// How often somebody was told that a post waits for him.
async fn asked(world: &World, token: &str, times: usize) {
    let mut inbox = json!(null);
    for _ in 0..1_200 {
        inbox = world.ask_as(token, "GET", "/api/v1/notifications").send().await.expect(200);
        let items = inbox["items"].as_array().unwrap().iter();
        let told = items.filter(|it| it["event"] == "approval.wanted").count();
        assert!(told <= times, "told {told} times: {inbox}");
        if told == times {
            return;
        }
        pass(Duration::from_millis(50)).await;
    }
    panic!("not told {times} times: {inbox}");
}

both! {
    /// Each approver sees what he may approve now and nothing else: what is due first comes first.
    async fn what_waits_for_my_approval_is_listed(world) {
        let desk = Desk::open(world).await;
        let unit = format!("/api/v1/units/{}", desk.unit);
        world.ask("PATCH", &unit).seen("*").json(&json!({"approval": "two"})).await.expect(200);
        let elsewhere = world.ask("POST", "/api/v1/units").json(&embassy()).await.expect(201);
        let [chief, deputy, publisher] = [
            officer(world, "chi", &desk.unit, "administrator").await,
            officer(world, "dung", &desk.unit, "approver").await,
            officer(world, "phuong", &desk.unit, "publisher").await,
        ];
        let stranger = officer(world, "la", elsewhere["id"].as_str().unwrap(), "approver").await;
        let [timeless, late, soon] = [
            desk.post(world, "without a time").await,
            desk.post(world, "for the second").await,
            desk.post(world, "for the first").await,
        ];
        desk.post(world, "nobody has asked").await;
        let submit = format!("{}/submit", place_of(&timeless));
        world.ask_as(&publisher, "POST", &submit).send().await.expect(200);
        waits(world, &desk, &publisher, &late, "2031-09-02T02:00:00Z").await;
        waits(world, &desk, &publisher, &soon, "2031-09-01T02:00:00Z").await;
        let [timeless, late, soon] = [&timeless, &late, &soon].map(|post| post["id"].clone());
        assert_eq!(mine(world, &deputy).await, [&soon, &late, &timeless].map(Clone::clone));
        assert_eq!(mine(world, &stranger).await, [] as [Value; 0]);
        assert_eq!(mine(world, &world.admin).await, [] as [Value; 0], "he has written them");
        let list = "/api/v1/posts?approval=wanted&owner=me";
        world.ask_as(&publisher, "GET", list).send().await.problem(403, "needs_role");
        let all = world.ask_as(&publisher, "GET", "/api/v1/posts?approval=wanted").send().await;
        assert_eq!(all.expect(200)["items"].as_array().unwrap().len(), 3);

        // What he has said yes to waits for the other; what he has written is not his to approve.
        let place = format!("/api/v1/posts/{}", soon.as_str().unwrap());
        let seen = world.ask_as(&deputy, "GET", &place).send().await.expect(200);
        let said = json!({
            "revision": seen["revision"], "content_hash": seen["content_hash"], "decision": "approve",
            "plan_hash": seen["approvals"]["plan_hash"],
        });
        let decide = format!("{place}/approvals");
        world.ask_as(&deputy, "POST", &decide).json(&said).await.expect(201);
        let change = json!({"variants": [{"language": "vi", "text": "the chief's words"}]});
        let place = format!("/api/v1/posts/{}", late.as_str().unwrap());
        world.ask_as(&chief, "PATCH", &place).seen("*").json(&change).await.expect(200);
        assert_eq!(mine(world, &deputy).await, [&late, &timeless].map(Clone::clone));
        assert_eq!(mine(world, &chief).await, [&soon, &timeless].map(Clone::clone));
        // Refused, nobody waits for it until somebody asks again.
        let place = format!("/api/v1/posts/{}", timeless.as_str().unwrap());
        let seen = world.ask_as(&deputy, "GET", &place).send().await.expect(200);
        let no = json!({
            "revision": seen["revision"], "content_hash": seen["content_hash"], "decision": "reject",
        });
        let decide = format!("{place}/approvals");
        world.ask_as(&deputy, "POST", &decide).json(&no).await.expect(201);
        assert_eq!(mine(world, &chief).await, [soon]);
    }

    /// Whatever makes a post wait for approval tells whoever may give it: a plan, a change of what was approved, a
    /// yes that is taken back.
    async fn whoever_may_approve_is_told_whatever_makes_it_wait(world) {
        let desk = Desk::open(world).await;
        let unit = format!("/api/v1/units/{}", desk.unit);
        world.ask("PATCH", &unit).seen("*").json(&json!({"approval": "one"})).await.expect(200);
        let [chief, deputy, publisher] = [
            officer(world, "chi", &desk.unit, "approver").await,
            officer(world, "dung", &desk.unit, "approver").await,
            officer(world, "phuong", &desk.unit, "publisher").await,
        ];
        let post = desk.post(world, "first words").await;
        waits(world, &desk, &publisher, &post, "2031-09-02T02:00:00Z").await;
        asked(world, &chief, 1).await;
        let place = place_of(&post);
        let says = async |decision: &str| {
            let seen = world.ask_as(&chief, "GET", &place).send().await.expect(200);
            let said = json!({
                "revision": seen["revision"], "content_hash": seen["content_hash"],
                "decision": decision, "plan_hash": seen["approvals"]["plan_hash"],
            });
            let decide = format!("{place}/approvals");
            world.ask_as(&chief, "POST", &decide).json(&said).await.expect(201)
        };
        says("approve").await;
        let other = json!({"variants": [{"language": "vi", "text": "other words"}]});
        let changed = world.ask("PATCH", &place).seen("*").json(&other).await.expect(200);
        assert_eq!(changed["approvals"]["state"], "wanted");
        asked(world, &chief, 2).await;
        says("approve").await;
        says("withdraw").await;
        asked(world, &deputy, 3).await;
        asked(world, &chief, 2).await;
    }
}
