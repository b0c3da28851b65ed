//! The program `batchtop`.

use std::process::ExitCode;

/// Bodies and answers are made by one thread and dropped by another, thousands of times a second,
/// which the allocators of some systems are slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A failing report of a panic must not stop the program that would have panicked.
    let _ = color_eyre::install();
    ExitCode::from(batchtop::cli::main(std::env::args_os()))
}
