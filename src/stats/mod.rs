//! Figures from figures: rates, latencies, the time left and series of points.
//!
//! Everything here is pure and takes the time as an argument. Memory is fixed at the start,
//! however long a run takes, and a clock that jumps makes a figure wrong for a while but never
//! panics. What is not known is `None`, never 0.

mod energy;
mod eta;
mod forecast;
mod latency;
mod rates;
mod series;

pub use energy::EnergyMeter;
pub use eta::Eta;
pub use forecast::{Ask, Forecast, Interval, forecast, of_history};
pub use latency::Latency;
pub use rates::Rates;
pub use series::{Coarse, SERIES_POINTS, Series};
