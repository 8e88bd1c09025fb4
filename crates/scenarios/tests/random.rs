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
        assert_eq!(plan.run_traced(), plan.run_traced(), "{plan}");
    }
}

#[test]
fn loss_breaks_no_invariant() {
    for seed in 0..1_000 {
        let plan = Plan::draw(seed, 0.1);
        let Verdict::Wrong(reasons) = plan.run() else { continue };
        // Whether it connects in time is not asked here.
        let broken: Vec<_> = reasons.iter().filter(|reason| reason.contains(" at ")).collect();
        assert!(broken.is_empty(), "{plan}\n{broken:?}");
    }
}

#[test]
fn every_checker_notices_what_it_is_there_for() {
    for (mutation, invariants) in [
        (Mutation::DoubleRequests, &["I1"][..]),
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
    ] {
        let found: Vec<String> = (0..40)
            .map(|seed| Plan::draw(seed, 0.0))
            // A restart is what a fault brings about.
            .map(
                |plan| if mutation == Mutation::KeptCredentials { plan.with_fault() } else { plan },
            )
            .filter_map(|plan| match plan.with_mutation(mutation).run() {
                Verdict::Wrong(reasons) => Some(reasons),
                Verdict::Connected { .. } | Verdict::Recovered { .. } | Verdict::NoPath => None,
            })
            .flatten()
            .collect();
        for invariant in invariants {
            let name = format!(": {invariant} at ");
            assert!(
                found.iter().any(|reason| reason.contains(&name)),
                "{mutation:?} hides {invariant}: {found:?}"
            );
        }
    }
}
