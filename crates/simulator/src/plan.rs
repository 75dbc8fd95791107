//! What kind of world a seed makes: how it lies in databases, how busy it is, and how ill-fated.

use crate::chance::Chance;
use crate::road::ROLES;
use crate::setup::{Defence, Road, Rows, Setup};
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
    pub(crate) topic: Option<TopicPlan>,
}

/// What may come over a topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicPlan {
    pub(crate) rows: Rows,
    pub(crate) partitions: u32,
    /// Of the relays' steps: how many go wrong. Of the changes of hands: how many leave somebody who does not know.
    pub(crate) vices_per_mille: u64,
    /// Something may be told again.
    pub(crate) retells: bool,
    /// The count of partitions may be raised.
    pub(crate) grows: bool,
    /// The topic may be made anew.
    pub(crate) is_remade: bool,
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
            topic: None,
        }
        .with_topic(setup, chance)
    }

    /// Whether events that were heard are dropped by the rows of their logs.
    pub(crate) fn deduplicates(&self) -> bool {
        match self.topic.as_ref().map(|topic| topic.rows) {
            None => self.defence == Defence::Inbox,
            Some(Rows::Both | Rows::Positions) => true,
            Some(Rows::Offsets | Rows::Neither) => false,
        }
    }

    /// Whether messages that were read are dropped by the rows of their partitions.
    pub(crate) fn drops_passed(&self) -> bool {
        match self.topic.as_ref().map(|topic| topic.rows) {
            None | Some(Rows::Both | Rows::Offsets) => true,
            Some(Rows::Positions | Rows::Neither) => false,
        }
    }

    /// Whether a message may lead to something twice: where the rules stand alone, and where an event that is told again
    /// may come by another partition, or by another topic.
    pub(crate) fn may_repeat(&self) -> bool {
        let retold = self.topic.as_ref().is_some_and(|topic| topic.grows || topic.is_remade);
        self.defence == Defence::Business || retold
    }

    /// Over a topic every service has a database and several replicas of its own, and everything takes more steps.
    fn with_topic(self, setup: &Setup, chance: &mut Chance) -> Self {
        let Road::Topic(rows) = setup.road else { return self };
        let told_once = rows == Rows::Offsets;
        let topic = TopicPlan {
            rows,
            partitions: chance.pick(&[1, 2, 3, 5]),
            vices_per_mille: chance.pick(&[0, 50, 200, 400]),
            retells: !told_once,
            grows: !told_once && chance.per_mille(300),
            is_remade: !told_once && chance.per_mille(300),
        };
        Self {
            layout: Layout::Apart,
            replicas: ROLES * chance.pick(&[1, 2, 3, 3]),
            is_exclusive: false,
            steps: self.steps * 2,
            topic: Some(topic),
            ..self
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
