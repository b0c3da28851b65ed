//! The choices of the program's own nouns as values of settings.

use super::value::{Raw, Value, Wrong, one_of, quoted, text};
use crate::model::{Mode, Overflow, ReportTo, Share, TrimPolicy, UnknownFormat};

macro_rules! choices {
    ($($name:ident),*) => {$(
        impl Value for $name {
            type Limits = ();

            fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
                let word = text(raw)?;
                let mut all = Self::ALL.into_iter();
                all.find(|choice| choice.word() == word)
                    .ok_or_else(|| one_of(word, &Self::ALL.map(Self::word)))
            }

            fn written(&self) -> Option<String> {
                Some(quoted(self.word()))
            }
        }
    )*};
}

choices!(Mode, Overflow, TrimPolicy);

impl Value for Share {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        const CURE: &str = "write per cent from 10 to 100 in quotes, such as \"87.5 %\"";
        let share = text(raw).map(str::parse::<Self>);
        match share {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(error)) => Err(Wrong {
                what: error.to_string(),
                suggestion: None,
            }),
            Err(wrong) => Err(Wrong::new(wrong.what, CURE)),
        }
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for ReportTo {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        const CURE: &str = "write \"html\", or a file such as \"report.html\"";
        text(raw)?
            .parse()
            .map_err(|error: UnknownFormat| Wrong::new(error.to_string(), CURE))
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::parse;
    use super::*;

    #[test]
    fn choices_are_read_and_written_in_their_words() {
        assert_eq!(parse("conversation", &()), Ok(Mode::Conversation));
        assert_eq!(TrimPolicy::Hybrid.written().as_deref(), Some("\"hybrid\""));
        let wrong = parse::<Overflow>("trimm", &()).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "`trimm` is none of `fail`, `trim`; did you mean `trim`?"
        );
    }

    #[test]
    fn a_share_is_per_cent() {
        assert_eq!(parse("50", &()), Ok(Share::of_thousandths(500)));
        assert!(Share::read(Raw::Whole(50), &()).is_err());
        assert!(parse::<Share>("0", &()).is_err());
    }
}
