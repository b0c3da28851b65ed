//! Tests of the parts together and of what they do with the world outside.
//!
//! `cfg(test)` tells clippy that what stands here may unwrap.

#[cfg(test)]
mod classes;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod conversation;
mod conversation_lanes;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod inference;
#[cfg(test)]
mod intake;
#[cfg(test)]
mod json;
#[cfg(test)]
mod mixed;
#[cfg(test)]
#[cfg(unix)]
mod notify;
#[cfg(test)]
mod readings;
#[cfg(test)]
mod savings;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tty;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod world;
