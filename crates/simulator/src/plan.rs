//! What kind of world a seed makes: how it lies in databases, how busy it is, and how ill-fated.

use crate::chance::Chance;
use crate::setup::{Defence, Setup};
use provider::settings::Settings;
use wiring::Layout;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) defence: Defence,
    pub(crate) layout: Layout,
    pub(crate) shards: u16,
    pub(crate) replicas: usize,
    /// The one replica has its stores to itself, as the embedded default does.
    pub(crate) is_exclusive: bool,
    pub(crate) steps: usize,
    pub(crate) calls: usize,
    pub(crate) batch_max: usize,
    pub(crate) faults_per_mille: u64,
    pub(crate) reads_fail_per_mille: u64,
    pub(crate) crashes_per_mille: u64,
    pub(crate) delivery_vices_per_mille: u64,
    /// Of the clock's steps: how many are long ones.
    pub(crate) leaps_per_mille: u64,
    /// Of the rides that are under way at the end: how many are ended then.
    pub(crate) late_ends_per_mille: u64,
    pub(crate) provider: Settings,
}

impl Plan {
    pub(crate) fn draw(setup: &Setup, chance: &mut Chance) -> Self {
        let replicas = chance.pick(&[1, 1, 2, 2, 3]);
        Self {
            defence: setup.defence,
            layout: chance.pick(&[Layout::Together, Layout::Apart]),
            shards: chance.pick(&[1, 1, 2, 3]),
            replicas,
            is_exclusive: replicas == 1 && chance.per_mille(600),
            steps: usize::try_from(chance.between(120, 400)).unwrap_or(0),
            calls: usize::try_from(chance.between(3, 9)).unwrap_or(0),
            batch_max: chance.pick(&[2, 8, 512]),
            faults_per_mille: chance.pick(&[0, 20, 60, 150, 300]),
            reads_fail_per_mille: chance.pick(&[0, 0, 5, 20]),
            crashes_per_mille: chance.pick(&[0, 5, 10, 25]),
            delivery_vices_per_mille: chance.pick(&[0, 100, 300, 500]),
            leaps_per_mille: chance.pick(&[0, 0, 0, 30, 100, 300]),
            late_ends_per_mille: chance.pick(&[0, 500, 1_000]),
            provider: provider(chance),
        }
    }
}

fn provider(chance: &mut Chance) -> Settings {
    let mut per_mille = || chance.pick(&[0, 0, 0, 100, 300, 600]);
    let (refuse, silent, lost, double) = (per_mille(), per_mille(), per_mille(), per_mille());
    let delay_ms_min = chance.pick(&[0, 0, 1, 500]);
    Settings {
        seed: chance.draw(),
        refuse_per_mille: refuse / 3,
        silent_per_mille: silent,
        silent_attempts: chance.pick(&[1, 2, 5]),
        lost_per_mille: lost,
        double_per_mille: double,
        delay_ms_min,
        delay_ms_max: delay_ms_min + chance.pick(&[0, 0, 100, 3_000, 15_000]),
        obey_test_methods: chance.per_mille(500),
    }
}
