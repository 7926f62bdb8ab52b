//! What the command line knows of itself, for shells and for readers: completions, manual pages,
//! and the configuration that describes every setting.

use std::io::Write;

use clap_complete::Shell;
use clap_mangen::Man;

use super::{CliError, Exit};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
  bash   countersign completions bash >~/.local/share/bash-completion/completions/countersign
  zsh    countersign completions zsh >~/.zfunc/_countersign   # with ~/.zfunc in fpath
  fish   countersign completions fish >~/.config/fish/completions/countersign.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
  countersign man | man -l -
  countersign man ca new | man -l -")]
pub(super) struct ManArgs {
    /// The command whose page it is; the program's own, if left out
    command: Vec<String>,
}

pub(super) fn completions(
    args: &CompletionsArgs,
    mut program: clap::Command,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    // Into memory first: the generator takes a reader that has gone for a panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "countersign", &mut script);
    Ok(out.write_all(&script)?)
}

pub(super) fn man(
    args: &ManArgs,
    program: clap::Command,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut command = program.disable_help_subcommand(true);
    // Gives each command its full name.
    command.build();
    let mut of = &command;
    for name in &args.command {
        of = of.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = of.get_subcommands().map(clap::Command::get_name).collect();
            let what = format!("{} has no command \"{name}\"", of.get_name());
            let fix = match known.len() {
                0 => "name it alone".to_owned(),
                _ => format!("use one of: {}", known.join(", ")),
            };
            CliError::new(Exit::Usage, what).fix(fix)
        })?;
    }
    let mut page = Vec::new();
    Man::new(of.clone()).render(&mut page)?;
    Ok(out.write_all(&page)?)
}

/// The file that describes every setting, as it is in the repository.
pub(super) fn example(out: &mut dyn Write) -> Result<(), CliError> {
    Ok(out.write_all(include_bytes!("../../proxy.toml.example"))?)
}
