//! Things that panes are made of. Each is a function from figures to lines; none knows the run.

mod field;
mod gauge;
mod graph;
mod histogram;
mod stack;
mod table;

pub use field::Field;
pub use gauge::{gauge, marked_gauge, spark};
pub use graph::{Plot, curve_columns, graph, resample};
pub use histogram::histogram;
pub use stack::{Piece, stack};
pub use table::{Column, cells};
