//! Riders and drivers who go on while something is done: every request that had to be asked again counts as failed. Some of them
//! have keys for what they ask, as our pages do; others have none, as the original's clients, and nobody may ask twice for them.

use super::client::Client;
use super::cluster::until;
use anyhow::{Context, bail};
use serde_json::{Deserializer, Value};
use std::time::Duration;

/// Trips of a run; runs follow each other until it is over.
const TRIPS: u32 = 60;
const CLIENTS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) struct Riders<'c> {
    client: &'c Client<'c>,
}

/// What they came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) completed: u64,
    /// Calls of those without a key, who look no further.
    pub(super) without_key: u64,
    /// Requests that were not answered, or by a 429, 502, 503 or 504.
    pub(super) failed: u64,
}

impl<'c> Riders<'c> {
    /// They are under way when this returns.
    pub(super) fn start(client: &'c Client<'c>, name: &str) -> anyhow::Result<Self> {
        let trips = trips();
        // What was asked under a key is not done again under it, also not for the next run of this program.
        let name = format!("{name}-{}", std::process::id());
        client.run(&format!(
            "rm -f /tmp/over* /tmp/stop /tmp/said /tmp/wrong /tmp/plain; printf '%s' '{trips}' > /tmp/trips.csv"
        ))?;
        let line = format!(
            "run=0; while [ ! -e /tmp/stop ]; do run=$((run + 1)); taxisvc replay /tmp/trips.csv --to http://gateway:8088 \
             --speed max --clients {CLIENTS} --run {name}-$run --json --quiet >>/tmp/said 2>>/tmp/wrong || \
             echo '{{\"stopped\":true}}' >>/tmp/said; done; touch /tmp/over"
        );
        begin(client, &line)?;
        WITHOUT_KEY.iter().try_for_each(|caller| begin(client, &without_key(*caller)))?;
        let riders = Self { client };
        riders.ride_on()?;
        Ok(riders)
    }

    /// Waits until another run of theirs is over, so that something came between two changes.
    pub(super) fn ride_on(&self) -> anyhow::Result<()> {
        let before = self.said()?.len();
        until("riders", PATIENCE, || {
            if self.said()?.len() <= before {
                bail!("nobody rides");
            }
            Ok(())
        })
    }

    /// Lets everybody end the ride that they are on. An error where a request failed.
    pub(super) fn end(self) -> anyhow::Result<Tally> {
        let tally = self.come_to_the_end()?;
        if tally.failed > 0 {
            let bad: Vec<_> = self.said()?.into_iter().filter(|run| failed(run) > 0).collect();
            bail!("{tally}\n{bad:?}\n{}", self.client.run("tail -5 /tmp/wrong")?);
        }
        Ok(tally)
    }

    /// The same where nobody could answer for a while: requests were asked again, and everybody arrived.
    pub(super) fn end_after_outage(self) -> anyhow::Result<Tally> {
        let tally = self.come_to_the_end()?;
        if tally.failed == 0 {
            bail!("{tally}: nobody was away");
        }
        Ok(tally)
    }

    fn come_to_the_end(&self) -> anyhow::Result<Tally> {
        self.client.run("touch /tmp/stop")?;
        let over = "cat /tmp/over /tmp/over-new /tmp/over-kept";
        until("the riders to end", PATIENCE, || self.client.run(over))?;
        let mut tally = tally(&self.said()?)?;
        let plain = self.client.run("cat /tmp/plain")?;
        let (answered, failed): (Vec<&str>, Vec<&str>) =
            plain.lines().partition(|line| line.starts_with('2'));
        tally.without_key = answered.len() as u64;
        tally.failed += failed.len() as u64;
        if tally.without_key == 0 {
            bail!("nobody called without a key: {plain}");
        }
        if tally.completed != tally.calls {
            bail!("{tally}\n{}", self.client.run("tail -5 /tmp/wrong")?);
        }
        Ok(tally)
    }

    fn said(&self) -> anyhow::Result<Vec<Value>> {
        let said = self.client.run("cat /tmp/said 2>/dev/null || true")?;
        // The last one may be half written.
        Ok(Deserializer::from_str(&said).into_iter().map_while(Result::ok).collect())
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { calls, completed, without_key, failed } = self;
        write!(
            formatter,
            "{calls} rides, {completed} of them to their end, and {without_key} calls without a key: {failed} failed requests"
        )
    }
}

/// People who call, have no key, and look no further: each over a connection of its own, and twenty over one that is kept and
/// lies idle between them. The status of each answer is noted, 000 where there is none.
fn without_key((name, url, more): (&str, &str, &str)) -> String {
    let body = r#"{"userId":"plain","userName":"eojin","distance":5}"#;
    format!(
        "while [ ! -e /tmp/stop ]; do curl -sS --max-time 30 -o /dev/null -w '%{{http_code}}\\n' {more} -H 'content-type: \
         application/json' -d '{body}' '{url}' >>/tmp/plain 2>>/tmp/wrong; sleep 0.1; done; touch /tmp/over-{name}"
    )
}

const WITHOUT_KEY: [(&str, &str, &str); 2] =
    [("new", "http://gateway:8088/calls", ""), ("kept", "http://gateway:8088/calls?[1-20]", "--rate 180/m")];

/// Leaves a line of shell to itself.
fn begin(client: &Client<'_>, line: &str) -> anyhow::Result<()> {
    client.run(&format!("setsid sh -c \"$(cat <<'LINE'\n{line}\nLINE\n)\" >/dev/null 2>&1 </dev/null &"))?;
    Ok(())
}

fn tally(runs: &[Value]) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for run in runs {
        if run["stopped"] != false {
            bail!("riders gave up: {run}");
        }
        let count = |field: &str| run[field].as_u64().with_context(|| format!("{field} is a count"));
        tally.calls += count("called")?;
        tally.completed += count("completed")?;
        tally.failed += failed(run);
    }
    Ok(tally)
}

fn failed(run: &Value) -> u64 {
    let of = |field: &str| -> u64 {
        let counts = run[field].as_object().into_iter().flat_map(serde_json::Map::values);
        counts.filter_map(Value::as_u64).sum()
    };
    of("repeated") + of("refused") + of("endsRefused")
}

/// Short trips, which every driver takes.
fn trips() -> String {
    let mut text = String::from("pickup_at,dropoff_at,trip_miles,pickup_zone,dropoff_zone,fare_usd\n");
    for trip in 0..TRIPS {
        let (minute, second) = (trip / 60, trip % 60);
        text += &format!(
            "2030-05-04 08:{minute:02}:{second:02},2030-05-04 09:{minute:02}:{second:02},2.5,49,191,12.5\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_that_was_asked_again_has_failed() {
        let run = |repeated: Value| json!({"stopped": false, "called": 2, "completed": 2, "repeated": repeated, "refused": {}, "endsRefused": {}});
        let clean = tally(&[run(json!({})), run(json!({}))]).expect("both are over");
        assert_eq!(clean, Tally { calls: 4, completed: 4, without_key: 0, failed: 0 });
        let tally_of_two = tally(&[run(json!({"503": 1, "connection": 2}))]).expect("it is over");
        assert_eq!(tally_of_two.failed, 3);
        assert!(tally(&[json!({"stopped": true})]).is_err(), "one that gave up is no run");
    }
}
