//! How honest, how fast and how talkative the provider is.

use serde::{Deserialize, Serialize};

/// By default it is honest, instant, and takes no orders about its vices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// All chance comes from here: the same seed has the same vices.
    pub seed: u64,
    /// Takes that are refused, of a thousand.
    pub refuse_per_mille: u16,
    /// Errands whose first attempts are not heard at all, of a thousand.
    pub silent_per_mille: u16,
    /// How many attempts a silent errand ignores.
    pub silent_attempts: u32,
    /// Attempts that are done but never answered, of a thousand.
    pub lost_per_mille: u16,
    /// Attempts that are answered twice, of a thousand.
    pub double_per_mille: u16,
    /// The least time until an answer.
    pub delay_ms_min: u64,
    /// The longest time until an answer.
    pub delay_ms_max: u64,
    /// Whether a payment method such as `test:refused` asks for a vice; never where money is real.
    pub obey_test_methods: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            refuse_per_mille: 0,
            silent_per_mille: 0,
            silent_attempts: 5,
            lost_per_mille: 0,
            double_per_mille: 0,
            delay_ms_min: 0,
            delay_ms_max: 0,
            obey_test_methods: false,
        }
    }
}
