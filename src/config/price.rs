//! Prices as settings. They are read digit by digit: a price of 0.1 is exactly that.

use std::ops::RangeInclusive;

use super::value::{Raw, Value, Wrong};
use crate::model::Price;

const CURE: &str = "write digits with at most six behind a point, such as `0.30`";

impl Value for Price {
    type Limits = RangeInclusive<Self>;

    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong> {
        let price: Option<Self> = match raw {
            Raw::Words(text) | Raw::Fraction(text) => text.trim().parse().ok(),
            Raw::Whole(number) => number.to_string().parse().ok(),
            Raw::Quoted(_) => return Err(raw.wanted("a price", "write it without quotes")),
            Raw::Switch(_) | Raw::Other(_) => None,
        };
        let price = price.ok_or_else(|| raw.wanted("a price", CURE))?;
        if limits.contains(&price) {
            return Ok(price);
        }
        let (least, most) = (limits.start(), limits.end());
        Err(Wrong {
            what: format!("`{price}` is not between {least} and {most}"),
            suggestion: None,
        })
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::limits::PRICE;
    use rstest::rstest;

    #[rstest]
    #[case(Raw::Words(" 0.30 "), "0.30")]
    #[case(Raw::Fraction("2.5"), "2.50")]
    #[case(Raw::Whole(3), "3.00")]
    fn prices_are_read_from_every_source(#[case] raw: Raw<'_>, #[case] written: &str) {
        let price = Price::read(raw, &PRICE).unwrap();
        assert_eq!(price.written().as_deref(), Some(written));
    }

    #[rstest]
    #[case(Raw::Words("cheap"), "`cheap` is not a price; write digits")]
    #[case(Raw::Fraction("1e-7"), "`1e-7` is not a price")]
    #[case(Raw::Fraction("nan"), "`nan` is not a price")]
    #[case(Raw::Whole(-1), "`-1` is not a price")]
    #[case(Raw::Quoted("1"), "without quotes")]
    #[case(Raw::Switch(true), "`true` is not a price")]
    #[case(
        Raw::Whole(1_000_001),
        "`1000001.00` is not between 0.00 and 1000000.00"
    )]
    fn what_is_no_price_is_told_with_the_cure(#[case] raw: Raw<'_>, #[case] said: &str) {
        let wrong = Price::read(raw, &PRICE).unwrap_err().to_string();
        assert!(wrong.contains(said), "{wrong}");
    }
}
