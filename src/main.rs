//! The program `batchtop`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A failing report of a panic must not stop the program that would have panicked.
    let _ = color_eyre::install();
    ExitCode::from(batchtop::cli::main(std::env::args_os()))
}
