//! `rescind completions` and `rescind man`: generated from the command line itself.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::Printer;

/// Prints a completion script.
pub(crate) fn completions(shell: Shell, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rescind", &mut script);
    printer.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Prints the manual page: the program's own, then one for each command.
pub(crate) fn man(printer: &mut Printer) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    render(&Cli::command().disable_help_subcommand(true), &mut page)?;
    printer.text(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}

fn render(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("{}-{}", command.get_name(), sub.get_name());
        render(&sub.clone().name(name), page)?;
    }
    Ok(())
}
