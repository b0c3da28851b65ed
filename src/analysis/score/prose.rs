//! The score in an answer that is no JSON.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::amount::{Amount, UNITS};
use super::plain::plain;
use super::{Found, Spot};

/// How surely a number is the score, the least surely first. Of several that are equally sure the
/// last one counts: it is what the model came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The number that a text begins with: `8 - a strong one`.
    Beginning,
    /// `8/10` somewhere in a sentence.
    FractionInPassing,
    /// `the score is 8`, `I would give it an 8`.
    LabelInPassing,
    /// `Score: 8` at the beginning of a line, `8/10` at that of the text or alone on a line, the
    /// first or last line where it is one number.
    Line,
    /// `Final score: 8`.
    Overall,
}

/// A number that may be the score.
struct Candidate {
    rank: Rank,
    at: usize,
    spot: Spot,
    amount: Amount,
}

/// Names of scores that are hardly anything else.
const STRONG: &str = r"scores?|ratings?|graded?|punktzahl|bewertung|wertung|gesamtpunktzahl|gesamtbewertung|gesamtwertung|gesamtnote|notation|puntuación|puntuacion|puntaje|calificación|calificacion|punteggio|valutazione|pontuação|pontuacao|beoordeling|cijfer|оценка|ocena";
/// Names that are often something else: only a number that ends its sentence is a score.
const WEAK: &str = r"points?|punkte|marks?|note|nota|voto|verdict|answer|antwort|réponse|respuesta|risposta|result|ergebnis|résultat|resultado|overall|total|final|gesamt|insgesamt";
/// The same in writing without spaces.
const UNSPACED: &str = r"总?评分|得分|总?分数?|打分|スコア|総?点数?|評価|점수|평점";
/// What makes a score the one that counts.
const OVERALL: &str = r"final|overall|total|gesamt|insgesamt|global|globale|finale|endgültige";

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    let remark = r"(?:\s*\([^()\n]{0,60}\)|\s+(?:from|out\s+of|on\s+a\s+scale\s+of|von|sur|de)\s+\d{1,4}(?:\s*(?:to|-|–|bis|à|a)\s*\d{1,4})?)*";
    let whose = r"\s+(?:for|für|pour|para|per)\s+[^\d\n:=.]{1,60}?";
    let is = r"is|are|was|of|would\s+be|should\s+be|ist|wäre|beträgt|lautet|est|serait|es|sería|è|é|is\s+therefore|therefore\s+is";
    let is = format!(r"\s*(?:[:=|→⇒\t>]|->|[-–—]\s|\b(?:{is})\b)\s*");
    let quotes = r#"["')\]]*"#;
    Regex::new(&format!(
        r#"(?ix)
        (?<overall> \b(?:{OVERALL})\b [\s-]*)?
        (?: \b(?: (?<strong>{STRONG}) | (?<weak>{WEAK}) )\b | (?:{UNSPACED}) ) {quotes}
        (?: {whose}{remark} (?<whose_is>(?:{is})+) | {remark}{quotes} (?<is>(?:{is})*) )
        (?<gap> \s* (?: (?:an?|about|approximately|around|roughly|≈|etwa|ca\.|environ) \s+ )? ["'(\[<]* )"#
    ))
    .expect("a valid pattern")
});

static VERB: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)
        \b(?:i|we|ich|wir|je)\b (?:['’]\w{1,2}\b)?
        (?: \s+ (?:would|will|can|must|should|würde|donnerais) )?
        \s+ (?:rate|give|gave|score|grade|assign|award|say|bewerte|vergebe|gebe|donne|note) \b
        [^\d\n.!?]{0,60}? \s (?<number>[+-]?\d)",
    )
    .expect("a valid pattern")
});

static FRACTION: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"\d{1,6}(?:[.,]\d{1,3})?";
    Regex::new(&format!(
        r"(?i)[+-]?{number}(?:\s*(?:[-–—]|\bto\b|\bbis\b)\s*{number})?\s*(?:{UNITS})?\s*(?:/|\bout\s+of\b|\bvon\b|\bsur\b)\s*(?:5|10|20|100)(?:[.,]0+)?"
    ))
    .expect("a valid pattern")
});

/// Numbers of which a score speaks without being one: the most, the others'.
static OF_OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:max|maximum|maximal\w*|min|minimum|possible|perfect|average|mean|previous|passing|threshold|cut-?off|highest|lowest|top)[\s-]*$")
        .expect("a valid pattern")
});
/// What follows a number that is not given: `10 would need more`.
static IF_ONLY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[)\]]?\s*(?:would|could|should|requires?|means?|if|indicates?|implies|=|is\s+(?:for|reserved|given)|wäre|würde|bedeutet)(?:\b|\s)")
        .expect("a valid pattern")
});

/// The score of a text, by the surest rule that finds one.
pub(super) fn score(prose: &str) -> Option<Found> {
    let text = plain(prose);
    if let Some(amount) = Amount::whole(&text) {
        return Some(found(amount, by_form(amount)));
    }
    let mut candidates = labels(&text);
    candidates.extend(verbs(&text));
    candidates.extend(fractions(&text));
    candidates.extend(lines(&text));
    candidates.extend(beginning(&text));
    let best = candidates
        .into_iter()
        .max_by_key(|candidate| (candidate.rank, candidate.at))?;
    Some(found(best.amount, best.spot))
}

fn found(amount: Amount, spot: Spot) -> Found {
    Found {
        spot,
        score: amount.score,
        out_of: amount.out_of,
    }
}

const fn by_form(amount: Amount) -> Spot {
    if amount.out_of.is_some() {
        Spot::Fraction
    } else {
        Spot::Number
    }
}

/// Numbers behind what scores are called.
fn labels(text: &str) -> Vec<Candidate> {
    let all = LABEL.captures_iter(text);
    all.filter_map(|groups| label(text, &groups)).collect()
}

fn label(text: &str, groups: &Captures<'_>) -> Option<Candidate> {
    let whole = groups.get(0)?;
    let (before, rest) = (&text[..whole.start()], &text[whole.end()..]);
    let amount = Amount::at_start(rest)?;
    let after = &rest[amount.length..];
    let sign = groups.name("whose_is").or_else(|| groups.name("is"))?;
    let gap = &text[sign.start()..whole.end()];
    let is_weak = groups.name("weak").is_some();
    let has_sign = !sign.as_str().trim().is_empty();
    let needs_end = is_weak || !has_sign;
    let is_enough = amount.out_of.is_some() || ends(after) || !needs_end;
    // `Points:` above a list that counts from one.
    let is_list = gap.contains('\n') && after.starts_with(['.', ')']);
    if !is_enough || is_list || (!has_sign && gap.is_empty()) {
        return None;
    }
    if OF_OTHERS.is_match(before) || IF_ONLY.is_match(after) {
        return None;
    }
    let alone = groups.name("weak").map_or("", |weak| weak.as_str());
    let is_overall = groups.name("overall").is_some()
        || OVERALL
            .split('|')
            .any(|word| word.eq_ignore_ascii_case(alone));
    let rank = if is_overall {
        Rank::Overall
    } else if begins_line(before) {
        Rank::Line
    } else {
        Rank::LabelInPassing
    };
    Some(Candidate {
        rank,
        at: whole.start(),
        spot: Spot::Label,
        amount,
    })
}

/// Numbers behind `I would give it`.
fn verbs(text: &str) -> Vec<Candidate> {
    let all = VERB.captures_iter(text);
    all.filter_map(|verb| {
        let number = verb.name("number")?.start();
        let amount = Amount::at_start(&text[number..])?;
        let after = &text[number + amount.length..];
        let is_enough = amount.out_of.is_some() || ends(after);
        (is_enough && !IF_ONLY.is_match(after)).then_some(Candidate {
            rank: Rank::LabelInPassing,
            at: number,
            spot: if amount.out_of.is_some() {
                Spot::Fraction
            } else {
                Spot::Label
            },
            amount,
        })
    })
    .collect()
}

/// Fractions such as `8/10`. Those of single criteria (`Skills: 3/5`) are none where there are
/// several.
fn fractions(text: &str) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut of_criteria = Vec::new();
    for fraction in FRACTION.find_iter(text) {
        let (before, rest) = (&text[..fraction.start()], &text[fraction.start()..]);
        let is_part = before.ends_with(|c: char| c.is_alphanumeric() || "/.,-".contains(c));
        let Some(amount) = Amount::at_start(rest).filter(|_| !is_part) else {
            continue;
        };
        let after = &rest[amount.length..];
        if !is_nothing(before) && IF_ONLY.is_match(after) {
            continue;
        }
        // `8/10: strong` at the very beginning, or a line that is nothing else.
        let begins_text = is_nothing(before) && ends(after);
        let is_own_line = begins_line(before) && is_nothing(after.lines().next().unwrap_or(""));
        let is_line = begins_text || is_own_line;
        let candidate = Candidate {
            rank: if is_line {
                Rank::Line
            } else {
                Rank::FractionInPassing
            },
            at: fraction.start(),
            spot: Spot::Fraction,
            amount,
        };
        let is_named = before.trim_end().ends_with([':', '=', '|', '-', '–', '—']);
        if is_named && !is_line {
            of_criteria.push(candidate);
        } else {
            candidates.push(candidate);
        }
    }
    if let Ok([only]) = <[Candidate; 1]>::try_from(of_criteria) {
        candidates.push(only);
    }
    candidates
}

/// The first or the last line where it is one number and the other is not another one.
fn lines(text: &str) -> Option<Candidate> {
    let mut lines = text.lines().filter(|line| !is_nothing(line));
    let (first, last) = (lines.next()?, lines.next_back()?);
    let number = |line: &str| Amount::whole(line);
    let (amount, at) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first.score != last.score => return None,
        (_, Some(amount)) => (amount, text.len()),
        (Some(amount), None) => (amount, 0),
        (None, None) => return None,
    };
    Some(Candidate {
        rank: Rank::Line,
        at,
        spot: by_form(amount),
        amount,
    })
}

/// The number with which a text begins, before a dash or a colon and the reasons.
fn beginning(text: &str) -> Option<Candidate> {
    let text = text.trim_start();
    let amount = Amount::at_start(text)?;
    let rest = text[amount.length..].trim_start_matches(' ');
    let reasons = rest.strip_prefix(['-', '–', '—', ':', ',', ';', '|'])?;
    let is_apart = reasons.starts_with(' ') || rest.starts_with([';', '|']);
    let is_reason = is_apart && reasons.trim_start().starts_with(char::is_alphabetic);
    is_reason.then(|| Candidate {
        rank: Rank::Beginning,
        at: 0,
        spot: by_form(amount),
        amount,
    })
}

/// Whether a text begins a line here, but for what decorates one.
fn begins_line(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or(before);
    is_nothing(line)
}

fn is_nothing(text: &str) -> bool {
    !text.contains(char::is_alphanumeric)
}

/// Whether a sentence or a line ends here.
fn ends(after: &str) -> bool {
    let after = after.trim_start_matches(' ');
    !after.starts_with(|c: char| c.is_alphanumeric() || c == '%')
}
