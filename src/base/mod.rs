//! Words with no meaning of their own: useful to any program.

mod alert;
mod ascii;
mod ring;
mod stamp;
mod text;
mod units;

pub use alert::Alert;
pub use ascii::{ascii, ascii_columns};
pub use ring::Ring;
pub use stamp::{Moment, Stamp};
pub use text::{ascii_json, elide, shown, shown_json, width};
pub use units::{bytes, count, duration, energy, money, rate, share, short};
