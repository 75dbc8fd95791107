//! The replicas that are named for a gateway that runs alone.

use super::Upstreams;
use anyhow::{Context, bail};
use http::uri::Authority;

/// All of them, as hosts with ports.
pub(crate) fn replicas(name: &str, named: &[String]) -> anyhow::Result<Vec<Authority>> {
    let replica = |text: &String| {
        authority(text).with_context(|| format!("upstreams.{name} wants host:port, and says {text:?}"))
    };
    named.iter().map(replica).collect()
}

pub(super) fn check(upstreams: &Upstreams) -> anyhow::Result<()> {
    let Upstreams { call, payment, drive, view, web } = upstreams;
    for (name, named) in
        [("call", call), ("payment", payment), ("drive", drive), ("view", view), ("web", web)]
    {
        replicas(name, named)?;
    }
    Ok(())
}

/// A host with its port: a service is at none that anybody would guess. Who asks is not said there.
fn authority(text: &str) -> anyhow::Result<Authority> {
    let authority: Authority = text.parse()?;
    if authority.port_u16().is_none() || text.contains('@') {
        bail!("it is no host with a port");
    }
    Ok(authority)
}
