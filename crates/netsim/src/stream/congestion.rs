use super::sender::LARGEST_SEGMENT;

/// Slow start and congestion avoidance (RFC 5681).
pub(super) struct Congestion {
    window: u64,
    threshold: u64,
}

impl Congestion {
    pub(super) const fn new() -> Self {
        Self { window: INITIAL_WINDOW, threshold: MAX_WINDOW }
    }

    /// How many bytes may be on their way.
    pub(super) const fn window(&self) -> u64 {
        self.window
    }

    pub(super) fn grow(&mut self, acknowledged: u64) {
        let growth = if self.window < self.threshold {
            acknowledged
        } else {
            (acknowledged * LARGEST_SEGMENT as u64 / self.window).max(1)
        };
        self.window = (self.window + growth).min(MAX_WINDOW);
    }

    pub(super) fn halve(&mut self, in_flight: u64) {
        self.threshold = (in_flight / 2).max(MIN_WINDOW);
        self.window = self.threshold;
    }

    pub(super) fn collapse(&mut self, in_flight: u64) {
        self.halve(in_flight);
        self.window = MIN_WINDOW;
    }
}

/// RFC 6928: ten segments.
const INITIAL_WINDOW: u64 = 14_000;
const MIN_WINDOW: u64 = 2_800;
const MAX_WINDOW: u64 = 262_144;
