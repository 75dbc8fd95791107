//! `taxisvc completions`: what a shell needs to complete commands.

use super::print;
use clap_complete::Shell;
use std::process::ExitCode;

const HELP: &str = "\
Examples:
  taxisvc completions bash > ~/.local/share/bash-completion/completions/taxisvc
  taxisvc completions zsh > \"${fpath[1]}/_taxisvc\"
  taxisvc completions fish > ~/.config/fish/completions/taxisvc.fish

Exit code: 0.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(mut command: clap::Command, options: &Options) -> anyhow::Result<ExitCode> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, name, &mut script);
    print::text(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
