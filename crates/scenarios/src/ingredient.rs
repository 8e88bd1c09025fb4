//! What makes a session hard, piece by piece, so that a failing one can be made simple.

use std::fmt;

use crate::plan::{Plan, Verdict};
use clap::ValueEnum;

/// A part of a plan that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ingredient {
    /// Latency that varies.
    Jitter,
    /// Packets that overtake others.
    Reordering,
    /// Packets that come twice.
    Duplication,
    /// One side that knows the other first.
    Stagger,
    /// Signaling that takes its time.
    Signaling,
    /// Candidates that overtake others in signaling, and come twice.
    Shuffling,
    /// Forgeries ahead of messages.
    Forgery,
    /// A fault.
    Fault,
}

impl Ingredient {
    /// All of them, those that make a trace long first.
    pub const ALL: [Self; 8] = [
        Self::Fault,
        Self::Forgery,
        Self::Shuffling,
        Self::Duplication,
        Self::Reordering,
        Self::Jitter,
        Self::Stagger,
        Self::Signaling,
    ];
}

impl Plan {
    /// The same session without an ingredient.
    #[must_use]
    pub fn without(mut self, ingredient: Ingredient) -> Self {
        let config = &mut self.config;
        match ingredient {
            Ingredient::Jitter => {
                config.access.iter_mut().for_each(|a| a.jitter = Default::default())
            }
            Ingredient::Reordering => {
                config.access.iter_mut().for_each(|access| access.reordering.probability = 0.0);
            }
            Ingredient::Duplication => config.access.iter_mut().for_each(|a| a.duplication = 0.0),
            Ingredient::Stagger => self.stagger_ms = 0,
            Ingredient::Signaling => config.signaling = Default::default(),
            Ingredient::Shuffling => config.shuffles = false,
            Ingredient::Forgery => config.is_attacked = false,
            Ingredient::Fault => {
                self.disturbance = None;
                config.recovers = false;
            }
        }
        self
    }

    /// Which ingredients a session that goes wrong does so without.
    #[must_use]
    pub fn superfluous(&self) -> Vec<Ingredient> {
        let mut plan = self.clone();
        let mut superfluous = Vec::new();
        for ingredient in Ingredient::ALL {
            let simpler = plan.clone().without(ingredient);
            if matches!(simpler.run(), Verdict::Wrong(_)) {
                plan = simpler;
                superfluous.push(ingredient);
            }
        }
        superfluous
    }
}

impl fmt::Display for Ingredient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
