//! Results and reports on their way out of the program.

mod files;
mod gather;
mod json;
mod openai;
mod page;
mod written;

pub use crate::store::Order;
pub use files::{Destination, Fresh, ReportError, WrittenResults, beside, write_results};
pub use gather::gather;
pub use json::{JobJson, ReuseJson, TrimsJson, Utc};
pub use openai::{Ending, ResultLine, VectorEncoding, write_line};
pub use page::{Answered, Interval, IntervalCounter, Report};
pub use written::{report_path, write_report};
