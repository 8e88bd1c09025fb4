//! Sessions drawn from seeds, with every invariant watched; and that the watching bites.

use pinhole_scenarios::{Mutation, Plan, Verdict};

#[test]
fn sessions_end_as_the_oracle_says() {
    for seed in 0..2_000 {
        let plan = Plan::draw(seed, 0.0);
        if let Verdict::Wrong(reasons) = plan.run() {
            panic!("{plan}\n{}", reasons.join("\n"));
        }
    }
}

#[test]
fn after_every_fault_both_sides_come_together_again() {
    for seed in 0..1_000 {
        let plan = Plan::draw(seed, 0.0).with_fault();
        if let Verdict::Wrong(reasons) = plan.run() {
            panic!("{plan}\n{}", reasons.join("\n"));
        }
    }
}

#[test]
fn a_session_replays_to_the_byte() {
    for seed in 0..20 {
        let plan = Plan::draw(seed, 0.1);
        let [one, other] = [(); 2].map(|()| plan.run_traced());
        assert_eq!(one.0, other.0, "{plan}");
        let [one, other] = [one, other].map(|(_, session)| session.world.trace().to_string());
        assert_eq!(one, other, "{plan}");
    }
}

#[test]
fn loss_breaks_no_invariant_and_holds_no_connection_up() {
    for seed in 0..1_000 {
        let plan = Plan::draw(seed, 0.3);
        let verdict = plan.run();
        assert!(!matches!(verdict, Verdict::Late | Verdict::Wrong(_)), "{plan}\n{verdict:?}");
    }
}

/// What is told to the monitors that is not so, and the invariants that it has to violate.
const LIES: [(Mutation, &[&str]); 43] = [
    (Mutation::DoubleRequests, &["I1"]),
    (Mutation::UnseenAnswers, &["I3", "I4"]),
    (Mutation::FlickeringPairs, &["I10"]),
    (Mutation::SwitchingRoles, &["I9"]),
    (Mutation::ClosedEarly, &["I18"]),
    (Mutation::ForeignData, &["I4"]),
    (Mutation::Shouting, &["I19"]),
    (Mutation::Leaking, &["I15"]),
    (Mutation::ManyPairs, &["I2"]),
    (Mutation::BelievedForgery, &["I5"]),
    (Mutation::UnseenNominations, &["I8"]),
    (Mutation::UnseenAnswers, &["I11"]),
    (Mutation::UnseenChecks, &["I12"]),
    (Mutation::UnseenSignals, &["I13"]),
    (Mutation::KeptCredentials, &["I14"]),
    (Mutation::WrongPriorities, &["I16"]),
    (Mutation::HastyConsent, &["I17"]),
    (Mutation::FalseAlarms, &["doubt"]),
    (Mutation::DeafOracle, &["I6"]),
    (Mutation::CrossedViews, &["I7"]),
    (Mutation::Bursts, &["I20"]),
    (Mutation::DecisiveOrder, &["I21"]),
    (Mutation::AnotherSeed, &["I22", "T22"]),
    (Mutation::UnseenPermissions, &["T1", "T2"]),
    (Mutation::AlteredRelaying, &["T3"]),
    (Mutation::DoubledAnswers, &["T4"]),
    (Mutation::RememberedStrangers, &["T5"]),
    (Mutation::BelievedTrailers, &["T6"]),
    (Mutation::BelievedForgeries, &["T7"]),
    (Mutation::LongLives, &["T8"]),
    (Mutation::OtherChannels, &["T9"]),
    (Mutation::SharedRelays, &["T10"]),
    (Mutation::NoQuota, &["T11"]),
    (Mutation::SurplusPorts, &["T12"]),
    (Mutation::FickleAnswers, &["T13"]),
    (Mutation::OpenPolicy, &["T14"]),
    (Mutation::LingeringSockets, &["T15"]),
    (Mutation::HalfPermissions, &["T16"]),
    (Mutation::PassedDeadlines, &["T17"]),
    (Mutation::Silence, &["T18"]),
    (Mutation::TornFrames, &["T19"]),
    (Mutation::ToldSecrets, &["T20"]),
    (Mutation::SharedTickets, &["T21"]),
];

#[test]
fn every_checker_notices_what_it_is_there_for() {
    for (mutation, invariants) in LIES {
        let is_of_fault = matches!(mutation, Mutation::KeptCredentials | Mutation::Bursts);
        let found: Vec<String> = (0..60)
            .map(|seed| Plan::draw(seed, 0.0))
            // A restart, and a jump of the clock, is what a fault brings about.
            .map(|plan| if is_of_fault { plan.with_fault() } else { plan })
            .filter_map(|plan| match plan.with_mutation(mutation).run() {
                Verdict::Wrong(reasons) => Some(reasons),
                Verdict::Connected { .. }
                | Verdict::Recovered { .. }
                | Verdict::NoPath
                | Verdict::Late => None,
            })
            .flatten()
            .collect();
        for invariant in invariants {
            // Some are told with a side and a time, and some are about a whole session.
            let names = [format!(": {invariant} at "), format!("{invariant}: ")];
            let is_named = |reason: &String| names.iter().any(|name| reason.contains(name));
            assert!(found.iter().any(is_named), "{mutation:?} hides {invariant}: {found:?}");
        }
    }
}
