//! Numbers as people read them. One form for each kind of number, everywhere.

use std::time::Duration;

/// `170000` as `170,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A large number in short: `950`, `12,400`, `79.9 M`, `1.2 G`.
pub fn short(number: u64) -> String {
    const MILLION: f64 = 1e6;
    match number as f64 {
        n if n < MILLION => count(number),
        n if n < 999.95 * MILLION => format!("{:.1} M", n / MILLION),
        n => format!("{:.1} G", n / MILLION / 1000.0),
    }
}

/// Bytes in decimal units, as file managers and disks count: `1.4 GB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{number} B");
    }
    format!("{value:.*} {}", usize::from(value < 99.95), UNITS[unit])
}

/// A length of time at the precision one cares for: `840 ms`, `12.4 s`, `7 min 05 s`, `8 h 41 min`,
/// `2 d 03 h`, `over 999 d`.
pub fn duration(length: Duration) -> String {
    /// Seconds beyond which nobody reads hours.
    const LONGEST: u64 = 1_000 * 86_400 - 1;
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{} ms", length.as_millis()),
        1..60 => format!("{:.1} s", length.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        86_400..=LONGEST => format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
        _ => "over 999 d".to_owned(),
    }
}

/// A rate with three digits that matter: `0.042`, `4.01`, `41.3`, `1,240`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() => "n/a".to_owned(),
        r if r >= 999.5 => count(r.round() as u64),
        r if r >= 99.95 => format!("{r:.0}"),
        r if r >= 9.995 => format!("{r:.1}"),
        r if r >= 0.1 || r == 0.0 => format!("{r:.2}"),
        r => format!("{r:.3}"),
    }
}

/// Energy in the unit that suits it: `0.41 kWh`, `12.5 Wh`.
pub fn energy(joules: f64) -> String {
    let hours = joules / 3_600.0;
    match hours {
        hours if !hours.is_finite() => "n/a".to_owned(),
        hours if hours >= 99.5 => format!("{:.2} kWh", hours / 1000.0),
        hours if hours >= 9.95 => format!("{hours:.1} Wh"),
        hours => format!("{hours:.2} Wh"),
    }
}

/// An amount of money: `1,240.50 €`, and small amounts with two digits that matter: `0.0034 €`.
pub fn money(amount: f64, currency: &str) -> String {
    let number = match amount {
        amount if !amount.is_finite() => return "n/a".to_owned(),
        amount if !(0.000_000_5..0.095).contains(&amount) => {
            let cents = (amount.max(0.0) * 100.0).round() as u64;
            format!("{}.{:02}", count(cents / 100), cents % 100)
        }
        amount => {
            let digits = (1.0 - amount.log10().floor()).clamp(2.0, 6.0) as usize;
            format!("{amount:.digits$}")
        }
    };
    let currency = super::shown(currency);
    format!("{number} {currency}").trim_end().to_owned()
}

/// `part` of `whole` in per cent, `24.2 %`; never 100 % before all is done, `n/a` of nothing.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "n/a".to_owned();
    }
    let exact = part as f64 * 100.0 / whole as f64;
    let tenths = if part < whole { exact.min(99.9) } else { exact };
    format!("{tenths:.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.0, "0.00 Wh")]
    #[case(3_600.0, "1.00 Wh")]
    #[case(45_000.0, "12.5 Wh")]
    #[case(1_476_000.0, "0.41 kWh")]
    #[case(f64::NAN, "n/a")]
    fn energies(#[case] joules: f64, #[case] text: &str) {
        assert_eq!(energy(joules), text);
    }

    #[rstest]
    #[case(0.0, "0.00 €")]
    #[case(0.123, "0.12 €")]
    #[case(0.00341, "0.0034 €")]
    #[case(0.000_001, "0.000001 €")]
    #[case(1_240.5, "1,240.50 €")]
    #[case(f64::INFINITY, "n/a")]
    fn amounts_of_money(#[case] amount: f64, #[case] text: &str) {
        assert_eq!(money(amount, "€"), text);
    }

    #[test]
    fn a_currency_is_outside_text() {
        assert_eq!(money(1.0, "\u{1b}[31m"), "1.00 ␛[31m");
        assert_eq!(money(1.0, ""), "1.00");
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(170_000, "170,000")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn counts(#[case] number: u64, #[case] text: &str) {
        assert_eq!(count(number), text);
    }

    #[rstest]
    #[case(950, "950")]
    #[case(12_400, "12,400")]
    #[case(79_900_000, "79.9 M")]
    #[case(1_230_000_000, "1.2 G")]
    fn large_numbers(#[case] number: u64, #[case] text: &str) {
        assert_eq!(short(number), text);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(999, "999 B")]
    #[case(1_000, "1.0 kB")]
    #[case(1_431_000_000, "1.4 GB")]
    #[case(999_999, "1.0 MB")]
    #[case(140_213, "140 kB")]
    fn sizes(#[case] number: u64, #[case] text: &str) {
        assert_eq!(bytes(number), text);
    }

    #[rstest]
    #[case(0, "0 ms")]
    #[case(840, "840 ms")]
    #[case(12_400, "12.4 s")]
    #[case(425_000, "7 min 05 s")]
    #[case(31_260_000, "8 h 41 min")]
    #[case(183_600_000, "2 d 03 h")]
    #[case(86_399_999_999, "999 d 23 h")]
    #[case(86_400_000_000, "over 999 d")]
    #[case(u64::MAX, "over 999 d")]
    fn durations(#[case] millis: u64, #[case] text: &str) {
        assert_eq!(duration(Duration::from_millis(millis)), text);
    }

    #[rstest]
    #[case(0.0, "0.00")]
    #[case(0.0421, "0.042")]
    #[case(4.014, "4.01")]
    #[case(41.27, "41.3")]
    #[case(163.2, "163")]
    #[case(1_240.4, "1,240")]
    #[case(f64::NAN, "n/a")]
    fn rates(#[case] per_second: f64, #[case] text: &str) {
        assert_eq!(rate(per_second), text);
    }

    #[rstest]
    #[case(0, 0, "n/a")]
    #[case(1, 2, "50.0 %")]
    #[case(169_999, 170_000, "99.9 %")]
    #[case(170_000, 170_000, "100.0 %")]
    fn shares(#[case] part: u64, #[case] whole: u64, #[case] text: &str) {
        assert_eq!(share(part, whole), text);
    }
}
