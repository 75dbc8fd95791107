//! `taxisvc explain`: the whole story of one call.

use super::look::look;
use super::print;
use super::speak::Speak;
use crate::config::Config;
use anyhow::bail;
use std::process::ExitCode;
use taxi::id::CallId;

const HELP: &str = "\
Examples:
  taxisvc explain 7
  taxisvc explain 7 --lang ko
  taxisvc explain 7 --json | jq .waitsFor

The first paragraph can be read aloud to the rider. Then follow what was asked and by whom, what happened and why, where \
the money is, which deadlines run, and what is waited for. It names the rider: mind who reads along.

Exit codes: 0, or 1 when nobody has heard of the call or the data cannot be read.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// The number of the call
    #[arg(value_parser = call_id)]
    call_id: CallId,
    #[command(flatten)]
    speak: Speak,
    /// Print it as JSON, in both languages
    #[arg(long)]
    json: bool,
}

pub(super) fn call_id(text: &str) -> Result<CallId, String> {
    let number = text.parse().ok().and_then(|number| CallId::new(number).ok());
    number.ok_or_else(|| "a call's number is a whole number, 1 or more".to_owned())
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let look = look(config)?;
    let found = operator::explain::explain(&look.readers, options.call_id, look.now(), &config.rules())?;
    let Some(explanation) = found else {
        bail!("no service has heard of call {}; looked at: {}", options.call_id, look.place);
    };
    if options.json {
        print::json(&explanation)?;
    } else {
        print::text(&explanation.text(options.speak.language()))?;
    }
    Ok(ExitCode::SUCCESS)
}
