//! What an audit tells: a line for each check, the money, and the rows that are not as they must be.

use super::checks::{Checks, Concluded};
use super::told::Transit;
use engine::audit::{Audited, Check, Counted, FINDINGS_LISTED_MAX, Finding, Sort};
use serde::Serialize;
use std::fmt;
use taxi::money::Won;
use taxi::payment::Accounts;

/// All payments together, in won.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    pub taken: i128,
    pub held: i128,
    pub earned: i128,
    pub returned: i128,
    /// What the provider's book says that riders are out of pocket.
    pub at_provider: i128,
    /// By how much the book and the payments differ while an answer is out.
    pub in_flight: i128,
}

impl Money {
    pub(super) fn add(&mut self, taken: Won, accounts: Accounts, returned: Won) {
        self.taken += i128::from(taken.0);
        self.held += i128::from(accounts.held.0);
        self.earned += i128::from(accounts.earned.0);
        self.returned += i128::from(returned.0);
    }
}

/// What came of an audit.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub services: Vec<Counted>,
    pub money: Money,
    /// What services have said and others have not heard yet, by who said it and who is to hear it.
    pub transit: Vec<Transit>,
    pub checks: Vec<Check>,
    pub findings: Vec<Finding>,
    /// Findings that are counted and not listed.
    pub unlisted: u64,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unlisted == 0
    }

    /// Whether every invariant holds. What was put aside, or is late, waits for somebody, and is as it must be.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.broken == 0)
    }

    /// How much is on its way.
    pub fn in_flight(&self) -> u64 {
        self.checks.iter().map(|check| check.in_flight).sum()
    }

    pub(super) fn add(&mut self, audited: Audited) {
        self.services.push(audited.counted);
        audited.checks.into_iter().for_each(|check| self.add_check(check));
    }

    /// Entities that a service knows, by their rows and by its log: the more of the two.
    pub(super) fn owned(&self, service: &str) -> u64 {
        let found = self.services.iter().find(|counted| counted.service == service);
        found.map_or(0, |counted| counted.entities.max(counted.entities_told))
    }

    pub(super) fn conclude(&mut self, checks: Checks<'_>) {
        let Concluded { money, transit, checks } = checks.conclude();
        (self.money, self.transit) = (money, transit);
        checks.into_iter().for_each(|check| self.add_check(check));
    }

    pub(super) fn add_check(&mut self, mut check: Check) {
        let findings = check.take_findings();
        self.unlisted += check.failed - findings.len() as u64;
        self.findings.extend(findings);
        self.checks.push(check);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for counted in &self.services {
            write!(
                formatter,
                "        {:<9} {} entities, {} events in {} shards, {} open effects, {} dead letters",
                counted.service,
                counted.entities,
                counted.events,
                counted.shards,
                counted.effects,
                counted.dead_letters
            )?;
            if counted.skipped > 0 {
                write!(formatter, ", {} skipped", counted.skipped)?;
            }
            writeln!(formatter)?;
        }
        for check in &self.checks {
            // What there is nothing of needs no line.
            if check.seen == 0 && check.failed == 0 {
                continue;
            }
            write_check(formatter, check)?;
            if check.failed > 0 {
                self.write_findings(formatter, check)?;
            }
        }
        for transit in &self.transit {
            write_transit(formatter, transit)?;
        }
        self.write_end(formatter)
    }
}

fn write_transit(formatter: &mut fmt::Formatter<'_>, transit: &Transit) -> fmt::Result {
    let Transit { from, to, events, untold, oldest_ms } = transit;
    let (seconds, rest) = (oldest_ms.div_euclid(1_000), oldest_ms.rem_euclid(1_000) / 100);
    write!(formatter, "way     {from} to {to}: {events}, the oldest for {seconds}.{rest} s")?;
    if *untold > 0 {
        write!(formatter, "; the topic has not been told {untold} of them")?;
    }
    writeln!(formatter)
}

fn write_check(formatter: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    let verdict = if check.failed == 0 { "ok" } else { "WRONG" };
    write!(formatter, "{verdict:<7} {:<9} {:<34} {:>9}", check.service, check.name, check.seen)?;
    if !check.note.is_empty() {
        write!(formatter, "  {}", check.note)?;
    }
    if check.in_flight > 0 {
        write!(formatter, "  {} on the way", check.in_flight)?;
    }
    if check.skipped > 0 {
        write!(formatter, "  {} skipped", check.skipped)?;
    }
    if check.failed > 0 {
        write!(formatter, "  {} wrong", check.failed)?;
    }
    writeln!(formatter)
}

impl Report {
    /// The positions of each shard have a check of their own; their findings stand under the first that failed.
    fn write_findings(&self, formatter: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
        let is_first =
            |other: &&Check| other.failed > 0 && (other.service, other.name) == (check.service, check.name);
        if !self.checks.iter().find(is_first).is_some_and(|first| std::ptr::eq(first, check)) {
            return Ok(());
        }
        let own = |finding: &&Finding| (finding.service, finding.check) == (check.service, check.name);
        for finding in self.findings.iter().filter(own) {
            writeln!(formatter, "          {}: {}", finding.what, finding.detail)?;
        }
        if check.failed > FINDINGS_LISTED_MAX as u64 {
            writeln!(formatter, "          and {} more", check.failed - FINDINGS_LISTED_MAX as u64)?;
        }
        Ok(())
    }

    fn write_end(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Money { taken, held, earned, returned, at_provider, in_flight } = self.money;
        writeln!(
            formatter,
            "money   {taken} won taken = {held} held + {earned} earned + {returned} returned; \
             the provider's book says {at_provider}, {in_flight} on the way"
        )?;
        if self.is_clean() {
            return write!(
                formatter,
                "clean   {} checks, {} on the way",
                self.checks.len(),
                self.in_flight()
            );
        }
        let of = |sort: Sort| self.findings.iter().filter(|finding| finding.sort == sort).count();
        write!(
            formatter,
            "NOT CLEAN: {} broken, {} dead letters, {} late",
            of(Sort::Broken),
            of(Sort::DeadLetter),
            of(Sort::Late)
        )?;
        if self.unlisted > 0 {
            write!(formatter, ", {} more", self.unlisted)?;
        }
        Ok(())
    }
}
