//! One generated candidate.

use super::random::Random;
use super::words::{
    ACHIEVEMENTS, CONTRIBUTIONS, DEGREES, DIRECTIONS, FAMILY_NAMES, FIELDS, FILLERS, FIRST_NAMES,
    Field, ODDITIES, PLACES, RESULTS,
};

/// A made-up candidate. Likeness to living people is chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `cand-000001`, counting from one.
    pub id: String,
    /// First and family name.
    pub name: String,
    /// What they do.
    pub role: &'static str,
    /// Years they have done it.
    pub years: u64,
    /// What they can do; up to six things.
    pub skills: Vec<&'static str>,
    /// Degree, field and place.
    pub education: String,
    /// The profile as it would be sent to a model: up to 400 words.
    pub profile: String,
}

/// How a profile is written.
enum Style {
    /// A few words.
    Terse,
    /// Lines with a title each.
    Table,
    /// Sentences.
    Prose,
}

impl Candidate {
    /// Candidate number `index` (from 0) of a seed.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random::new(seed, index);
        let field = field(&mut random);
        let name = format!("{} {}", random.pick(FIRST_NAMES), random.pick(FAMILY_NAMES));
        let skills = skills(&mut random, field);
        let education = education(&mut random, field);
        let mut candidate = Self {
            id: format!("cand-{:06}", index.saturating_add(1)),
            name,
            role: random.pick(field.roles),
            years: random.between(0, 31),
            skills,
            education,
            profile: String::new(),
        };
        candidate.profile = candidate.write(&mut random);
        candidate
    }

    fn write(&self, random: &mut Random) -> String {
        let style = match random.between(0, 99) {
            0..8 => Style::Terse,
            8..30 => Style::Table,
            _ => Style::Prose,
        };
        let text = match style {
            Style::Terse => self.terse(random),
            Style::Table => self.table(random),
            Style::Prose => self.prose(random),
        };
        if random.chance(12) {
            return format!("{text} {}", random.pick(ODDITIES));
        }
        text
    }

    fn terse(&self, random: &mut Random) -> String {
        match random.between(0, 2) {
            0 => format!("{} ({} yrs), {}", self.role, self.years, self.name),
            1 => format!("{}. {}.", self.name, self.role),
            _ => format!("{}, {}: {}", self.name, self.role, self.skills.join(", ")),
        }
    }

    fn table(&self, random: &mut Random) -> String {
        let head = format!(
            "Name: {}\nRole: {}\nYears: {}\nSkills: {}\nEducation: {}\nAchievements:",
            self.name,
            self.role,
            self.years,
            self.skills.join(", "),
            self.education,
        );
        let words = random.between(16, 150);
        let lines = sentences(random, words);
        format!("{head}\n- {}", lines.join("\n- "))
    }

    fn prose(&self, random: &mut Random) -> String {
        let head = format!(
            "{} works as {} and has done so for {} years. Education: {}. Knows {}.",
            self.name,
            self.role,
            self.years,
            self.education,
            self.skills.join(", "),
        );
        // Squared, so that short profiles are more frequent than long ones.
        let length = random.between(0, 18);
        let lines = sentences(random, 24 + length * length);
        format!("{head} {}", lines.join(" "))
    }
}

fn field(random: &mut Random) -> &'static Field {
    // An array of known length: the remainder is always inside.
    let index = random.between(0, FIELDS.len() as u64 - 1) as usize;
    &FIELDS[index % FIELDS.len()]
}

fn skills(random: &mut Random, field: &Field) -> Vec<&'static str> {
    let wanted = random.between(1, 6);
    let mut skills = Vec::new();
    for _ in 0..wanted {
        let skill = random.pick(field.skills);
        if !skills.contains(&skill) {
            skills.push(skill);
        }
    }
    skills
}

fn education(random: &mut Random, field: &Field) -> String {
    let degree = random.pick(DEGREES);
    if random.chance(15) {
        return degree.to_owned();
    }
    format!("{degree}, {}, {}", field.subject, random.pick(PLACES))
}

/// Sentences of so many words in all, or a few more.
fn sentences(random: &mut Random, words: u64) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut written = 0;
    while written < words {
        let sentence = sentence(random);
        written += sentence.split_whitespace().count() as u64;
        sentences.push(sentence);
    }
    sentences
}

fn sentence(random: &mut Random) -> String {
    match random.between(0, 9) {
        0..4 => {
            let number = random.between(2, 480);
            let achievement = random.pick(ACHIEVEMENTS).replace('#', &number.to_string());
            format!("{achievement} {}.", random.pick(RESULTS))
        }
        4..6 => format!("{}.", random.pick(CONTRIBUTIONS)),
        6 => format!("{}.", random.pick(DIRECTIONS)),
        7 => {
            let year = random.between(1998, 2026);
            format!(
                "In {year}, in {}: {}.",
                random.pick(PLACES),
                random.pick(FILLERS)
            )
        }
        _ => format!("{}.", random.pick(FILLERS)),
    }
}
