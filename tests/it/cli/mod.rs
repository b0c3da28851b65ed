//! The command line as a person or a script meets it: the real binary, its exit codes, its two
//! streams and its files.

mod analyze;
mod bench;
mod check;
mod conversation;
mod convert;
mod damage;
mod hostile;
mod interrupts;
mod learnt;
mod output;
mod plan;
mod queue;
mod report;
mod results;
#[cfg(target_os = "linux")]
mod room;
mod run;
mod settings;
mod storage;
