//! Results on their way out of the program.

mod files;
mod openai;

pub use crate::store::Order;
pub use files::{Destination, Fresh, ReportError, WrittenResults, beside, write_results};
pub use openai::{Ending, ResultLine, VectorEncoding, write_line};
