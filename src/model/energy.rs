//! Energy that cards used, what it costs, and what a cloud would have asked for the same tokens.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::base::{energy, money, rate};

const JOULES_A_KWH: f64 = 3_600_000.0;
const MILLIONTHS: u64 = 1_000_000;
/// Digits behind the point that a price keeps.
const DECIMALS: usize = 6;

/// Energy used by cards, in joules.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Energy {
    /// All of it.
    pub joules: f64,
    /// The part of it that was estimated from power.
    pub estimated: f64,
}

impl Energy {
    /// In kilowatt-hours.
    pub fn kilowatt_hours(&self) -> f64 {
        self.joules / JOULES_A_KWH
    }

    /// Whether any of it is an estimate.
    pub fn is_estimate(&self) -> bool {
        self.estimated > 0.0
    }
}

impl Add for Energy {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            joules: self.joules + other.joules,
            estimated: self.estimated + other.estimated,
        }
    }
}

impl Sub for Energy {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            joules: self.joules - other.joules,
            estimated: self.estimated - other.estimated,
        }
    }
}

/// A price, exact to a millionth of the currency's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Price {
    millionths: u64,
}

/// A text that is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no price such as `0.30`")]
pub struct WrongPrice(pub String);

impl Price {
    /// The price of so many units of the currency.
    pub const fn whole(units: u32) -> Self {
        Self {
            millionths: units as u64 * MILLIONTHS,
        }
    }

    /// In units of the currency.
    pub fn amount(self) -> f64 {
        self.millionths as f64 / MILLIONTHS as f64
    }
}

impl FromStr for Price {
    type Err = WrongPrice;

    /// Digits with at most six more behind a point.
    fn from_str(text: &str) -> Result<Self, WrongPrice> {
        let wrong = || WrongPrice(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > DECIMALS {
            return Err(wrong());
        }
        let units: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = format!("{part:0<DECIMALS$}").parse().map_err(|_| wrong())?;
        let millionths = units.checked_mul(MILLIONTHS).ok_or_else(wrong)?;
        let millionths = millionths.checked_add(part).ok_or_else(wrong)?;
        Ok(Self { millionths })
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, part) = (self.millionths / MILLIONTHS, self.millionths % MILLIONTHS);
        let digits = format!("{part:0DECIMALS$}");
        let mut kept = digits.trim_end_matches('0');
        if kept.len() < 2 {
            kept = digits.get(..2).unwrap_or(kept);
        }
        write!(f, "{units}.{kept}")
    }
}

/// What a cloud asks for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudPrice {
    /// Of prompts.
    pub prompt: Price,
    /// Of answers.
    pub answer: Price,
}

impl CloudPrice {
    /// What the tokens of these answered requests would have cost there.
    pub fn of(&self, counts: &Counts) -> f64 {
        let prompt = counts.prompt_tokens.0 as f64 * self.prompt.amount();
        let answer = counts.answer_tokens.0 as f64 * self.answer.amount();
        (prompt + answer) / 1e6
    }
}

/// The prices that the user pays or compares with, all in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prices {
    /// Of a kilowatt-hour.
    pub kilowatt_hour: Option<Price>,
    /// Of tokens in a cloud.
    pub cloud: Option<CloudPrice>,
    /// The sign or name of the currency: outside text.
    pub currency: String,
}

/// What a job comes to. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bill {
    /// Energy of the cards in kilowatt-hours.
    pub kilowatt_hours: Option<f64>,
    /// Whether the energy is estimated from power, at least in part.
    pub energy_is_estimate: bool,
    /// Tokens written for each joule.
    pub tokens_per_joule: Option<f64>,
    /// What the energy costs.
    pub cost: Option<f64>,
    /// What the same tokens would have cost in a cloud.
    pub cloud_cost: Option<f64>,
    /// The sign or name of the currency: outside text.
    pub currency: String,
}

impl Bill {
    /// The bill of a job that used this energy and has these counts.
    pub fn of(energy: Option<Energy>, counts: &Counts, prices: &Prices) -> Self {
        let kilowatt_hours = energy.map(|energy| energy.kilowatt_hours());
        let price = prices.kilowatt_hour.map(Price::amount);
        let joules = energy.map(|energy| energy.joules);
        Self {
            kilowatt_hours,
            energy_is_estimate: energy.is_some_and(|energy| energy.is_estimate()),
            tokens_per_joule: joules
                .filter(|joules| *joules > 0.0)
                .map(|joules| counts.answer_tokens.0 as f64 / joules),
            cost: kilowatt_hours
                .zip(price)
                .map(|(hours, price)| hours * price),
            cloud_cost: prices.cloud.map(|price| price.of(counts)),
            currency: prices.currency.clone(),
        }
    }

    /// What is known, in words, the most important first: `0.41 kWh ≈ 0.12 €`.
    pub fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if let Some(hours) = self.kilowatt_hours {
            let mut text = energy(hours * JOULES_A_KWH);
            if let Some(cost) = self.cost {
                text = format!("{text} ≈ {}", money(cost, &self.currency));
            }
            if self.energy_is_estimate {
                text.push_str(" (estimate)");
            }
            parts.push(text);
        }
        if let Some(cost) = self.cloud_cost {
            parts.push(format!("cloud {}", money(cost, &self.currency)));
        }
        let tokens = self.tokens_per_joule;
        parts.extend(tokens.map(|tokens| format!("{} tok/J", rate(tokens))));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tokens;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("0.30", "0.30")]
    #[case("12", "12.00")]
    #[case("0.000125", "0.000125")]
    #[case("1.5", "1.50")]
    fn prices_are_exact(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Price>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case(".5")]
    #[case("1.")]
    #[case("-1")]
    #[case("1e9")]
    #[case("0.0000001")]
    #[case("99999999999999999999")]
    #[case("18446744073710")]
    fn what_is_no_price_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Price>(), Err(WrongPrice(text.to_owned())));
    }

    fn counts() -> Counts {
        Counts {
            prompt_tokens: Tokens(2_000_000),
            answer_tokens: Tokens(500_000),
            ..Counts::default()
        }
    }

    fn prices() -> Prices {
        Prices {
            kilowatt_hour: Some("0.30".parse().unwrap()),
            cloud: Some(CloudPrice {
                prompt: "0.5".parse().unwrap(),
                answer: Price::whole(2),
            }),
            currency: "€".to_owned(),
        }
    }

    #[test]
    fn a_bill_names_energy_cost_and_cloud() {
        let energy = Energy {
            joules: 1_476_000.0,
            estimated: 0.0,
        };
        let bill = Bill::of(Some(energy), &counts(), &prices());
        let expected = ["0.41 kWh ≈ 0.12 €", "cloud 2.00 €", "0.34 tok/J"];
        assert_eq!(bill.parts(), expected);
    }

    #[test]
    fn an_estimate_says_so_and_what_is_unknown_is_left_out() {
        let energy = Energy {
            joules: 36_000.0,
            estimated: 1.0,
        };
        let bill = Bill::of(Some(energy), &Counts::default(), &Prices::default());
        assert_eq!(bill.parts(), ["10.0 Wh (estimate)", "0.00 tok/J"]);
        let nothing = Bill::of(None, &counts(), &Prices::default());
        assert!(nothing.parts().is_empty());
        assert_eq!(nothing.kilowatt_hours, None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millionths in 0u64..1 << 60) {
            let price = Price { millionths };
            prop_assert_eq!(price.to_string().parse::<Price>(), Ok(price));
        }
    }
}
