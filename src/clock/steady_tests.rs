//! The steady clock against steps in both directions, with platforms that tell the time.

use super::*;
use crate::clock::{SimulatedClock, after, before};

const PLATFORM: &str = "one";
const OTHER: &str = "other";
const HOUR: Duration = Duration::from_hours(1);

/// A machine whose time server breaks, and a platform that always knows the time.
struct Scene {
    machine: SimulatedClock,
    truth: SimulatedClock,
    steady: Steady,
}

impl Scene {
    fn new() -> Self {
        let start = "2026-09-02T02:00:00Z".parse().unwrap();
        let (machine, truth) = (SimulatedClock::at(start), SimulatedClock::at(start));
        let limits = Limits { step: Duration::from_secs(2), skew: Duration::from_secs(5) };
        let steady = Steady::new(Arc::new(machine.clone()), limits, vec![PLATFORM, OTHER]);
        Self { machine, truth, steady }
    }

    fn pass(&self, span: Duration) {
        self.machine.advance(span);
        self.truth.advance(span);
    }

    fn step(&self, to: Timestamp) {
        self.machine.step_wall(to);
    }

    /// The platform answers after so long.
    fn hear(&self, after: Duration) {
        let asked = self.steady.asking();
        let date = Timestamp::from_second(self.truth.now().as_second()).unwrap();
        self.pass(after);
        self.steady.heard(PLATFORM, asked, date);
    }

    fn why(&self) -> Option<Why> {
        self.steady.may_send(PLATFORM).err().map(|doubt| doubt.why)
    }
}

fn soon() -> Duration {
    Duration::from_millis(80)
}

#[test]
fn nobody_is_sent_to_who_has_not_said_the_time() {
    let scene = Scene::new();
    assert!(scene.steady.condition().is_sound(), "nobody has asked for anything yet");
    assert_eq!(scene.why(), Some(Why::Unproven));
    assert!(!scene.steady.condition().is_sound());
    scene.hear(soon());
    assert_eq!(scene.why(), None);
    assert_eq!(scene.steady.may_send(OTHER).unwrap_err().why, Why::Unproven);
    assert!(scene.steady.may_send("no witness").is_ok());
}

#[test]
fn a_step_moves_no_time_and_nothing_is_sent_until_the_platform_was_heard_again() {
    for to in [after, before] {
        let scene = Scene::new();
        scene.hear(soon());
        scene.step(to(scene.machine.now(), HOUR));
        scene.pass(Duration::from_secs(3));
        assert_eq!(scene.steady.now(), scene.truth.now());
        assert_eq!(scene.why(), Some(Why::Stepped));
        scene.hear(soon());
        assert_eq!(scene.why(), None, "the platform has the time that went on");
        assert!(scene.steady.condition().apart.is_some(), "the machine is wrong still");
        assert_eq!(scene.steady.now(), scene.truth.now());
        scene.step(scene.truth.now());
        assert!(scene.steady.condition().is_sound(), "{:?}", scene.steady.condition());
    }
}

#[test]
fn a_step_that_puts_the_clock_right_is_followed_once_the_platform_says_so() {
    let scene = Scene::new();
    scene.step(after(scene.truth.now(), HOUR));
    let late =
        Steady::new(Arc::new(scene.machine.clone()), scene.steady.limits, vec![PLATFORM, OTHER]);
    let scene = Scene { steady: late, ..scene };
    scene.hear(soon());
    assert!(matches!(scene.why(), Some(Why::Disagrees(by)) if by > signed(HOUR) - DATE));
    scene.step(scene.truth.now());
    assert!(scene.steady.now() > scene.truth.now(), "nobody has said so yet");
    assert_eq!(scene.why(), Some(Why::Stepped));
    scene.hear(soon());
    assert_eq!((scene.why(), scene.steady.now()), (None, scene.truth.now()));
    assert!(scene.steady.condition().apart.is_none());
}

#[test]
fn a_small_correction_is_followed_and_many_small_ones_are_a_step() {
    let scene = Scene::new();
    scene.hear(soon());
    let small = Duration::from_millis(1_500);
    scene.step(after(scene.machine.now(), small));
    assert_eq!((scene.steady.now(), scene.why()), (scene.machine.now(), None));
    scene.step(after(scene.machine.now(), small));
    assert_eq!(scene.why(), Some(Why::Stepped));
    scene.hear(soon());
    assert_eq!((scene.steady.now(), scene.why()), (after(scene.truth.now(), small), None));
    scene.step(scene.truth.now());
    assert_eq!(scene.steady.now(), scene.truth.now());
    assert!(scene.steady.condition().is_sound());
}

#[test]
fn of_two_times_that_are_both_allowed_the_nearer_counts() {
    let away = Duration::from_secs(4);
    for (start, stepped) in [(away, Duration::ZERO), (Duration::ZERO, away)] {
        let scene = Scene::new();
        scene.machine.step_wall(after(scene.truth.now(), start));
        let inner = Arc::new(scene.machine.clone());
        let steady = Steady::new(inner, scene.steady.limits, vec![PLATFORM]);
        let scene = Scene { steady, ..scene };
        scene.hear(soon());
        assert_eq!(scene.why(), None);
        scene.step(after(scene.truth.now(), stepped));
        scene.hear(soon());
        assert_eq!((scene.steady.now(), scene.why()), (scene.truth.now(), None));
    }
}

#[test]
fn an_answer_from_before_the_step_says_nothing() {
    let scene = Scene::new();
    scene.hear(soon());
    let asked = scene.steady.asking();
    let date = scene.truth.now();
    scene.step(after(scene.machine.now(), HOUR));
    scene.steady.heard(PLATFORM, asked, date);
    assert_eq!(scene.why(), Some(Why::Stepped));
}

#[test]
fn an_answer_that_took_long_says_nothing_for_certain() {
    let scene = Scene::new();
    scene.hear(Duration::from_secs(6));
    assert_eq!(scene.why(), Some(Why::Unproven));
    scene.hear(Duration::from_secs(2));
    assert_eq!(scene.why(), None);
}

#[test]
fn a_platform_that_says_another_time_is_not_sent_to_and_the_others_are() {
    let scene = Scene::new();
    for name in [PLATFORM, OTHER] {
        scene.steady.heard(name, scene.steady.asking(), scene.truth.now());
    }
    let wrong = before(scene.truth.now(), Duration::from_secs(30));
    scene.steady.heard(PLATFORM, scene.steady.asking(), wrong);
    assert!(matches!(scene.why(), Some(Why::Disagrees(by)) if by > SignedDuration::ZERO));
    assert!(scene.steady.may_send(OTHER).is_ok());
}

#[test]
fn a_person_may_say_that_the_machine_is_right_until_the_next_step() {
    let scene = Scene::new();
    scene.hear(soon());
    scene.step(after(scene.machine.now(), HOUR));
    assert_eq!(scene.why(), Some(Why::Stepped));
    scene.steady.confirm();
    assert_eq!((scene.why(), scene.steady.now()), (None, scene.machine.now()));
    scene.hear(soon());
    assert_eq!(scene.why(), None, "whatever the platform says");
    scene.step(after(scene.machine.now(), HOUR));
    assert_eq!(scene.why(), Some(Why::Stepped));
}

#[tokio::test]
async fn no_sleeper_wakes_early_or_sleeps_on_because_of_a_step() {
    for to in [after, before] {
        let scene = Scene::new();
        let due = after(scene.truth.now(), Duration::from_mins(10));
        let sleeper = tokio::spawn(scene.steady.sleep_until(due));
        tokio::task::yield_now().await;
        scene.step(to(scene.machine.now(), HOUR));
        // A minute at a time, as long as it sleeps at most.
        for _ in 0..10 {
            tokio::task::yield_now().await;
            assert!(!sleeper.is_finished(), "it woke at {}", scene.truth.now());
            scene.pass(Duration::from_mins(1));
        }
        sleeper.await.unwrap();
        assert_eq!(scene.truth.now(), due);
    }
}
