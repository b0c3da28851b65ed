//! AMD's cards, by the files that the `amdgpu` driver of Linux shows. Nothing is loaded and no
//! right is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Sampler;
use super::files::{self, Unread};
use super::told::Told;
use crate::base::shown;
use crate::model::{Card, CardMemory, CardState, Missing, Readings};

/// AMD's number on the PCI bus.
const MAKER: &str = "0x1002";
/// Cards looked at, at most.
const MOST: usize = 64;

/// The AMD cards of this machine; none on most.
#[derive(Debug)]
pub struct Amd {
    cards: Vec<Found>,
    told: Told,
}

#[derive(Debug)]
struct Found {
    id: String,
    name: String,
    device: PathBuf,
    /// Where heat and power are; found again when it is gone, because its number may change.
    sensors: Option<PathBuf>,
}

impl Amd {
    /// Looks for cards below `drm`, which is `/sys/class/drm` outside of tests.
    pub fn find(drm: &Path) -> Self {
        let entries = fs::read_dir(drm).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| is_card(name))
            .collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        let cards = names.into_iter().take(MOST);
        Self {
            cards: cards.filter_map(|id| Found::at(drm, id)).collect(),
            told: Told::default(),
        }
    }
}

impl Sampler for Amd {
    fn sample(&mut self) -> Readings {
        let told = &mut self.told;
        let cards = self.cards.iter_mut().map(|card| card.read(told)).collect();
        Readings {
            cards,
            news: self.told.take(),
            ..Readings::default()
        }
    }
}

/// `card0`, but not its connectors (`card0-DP-1`) and not `renderD128`.
fn is_card(name: &str) -> bool {
    let number = name.strip_prefix("card").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl Found {
    fn at(drm: &Path, id: String) -> Option<Self> {
        let device = drm.join(&id).join("device");
        let maker = files::text(&device.join("vendor")).ok()?;
        (maker == MAKER).then(|| Self {
            name: name(&device),
            sensors: sensors(&device),
            id,
            device,
        })
    }

    fn read(&mut self, told: &mut Told) -> Card {
        let mut card = Card {
            id: self.id.clone(),
            name: self.name.clone(),
            ..Card::default()
        };
        let lost = format!("{} lost", self.id);
        if !self.device.join("vendor").exists() {
            let why = "its files are gone".to_owned();
            told.once(&lost, || format!("{} is lost: {why}", self.name));
            card.state = CardState::Lost { why };
            return card;
        }
        told.over(&lost, || format!("{} is back", self.name));
        if files::sleeps(&self.device) {
            card.state = CardState::Asleep;
            return card;
        }
        self.fill(&mut card);
        for missing in &card.missing {
            let Missing { what, why } = missing;
            told.once(&format!("{} {what}", self.id), || {
                format!("{}: {what} cannot be read: {why}", self.name)
            });
        }
        card
    }

    fn fill(&mut self, card: &mut Card) {
        if self.sensors.as_ref().is_none_or(|path| !path.exists()) {
            self.sensors = sensors(&self.device);
        }
        let sensors = self.sensors.clone().unwrap_or_default();
        let mut take = Take {
            missing: &mut card.missing,
        };
        card.memory = take.memory(&self.device);
        card.busy_percent = take.number("load", &[self.device.join("gpu_busy_percent")]);
        let heat: Option<i64> = take.number("temperature", &[sensors.join("temp1_input")]);
        card.celsius = heat.and_then(|milli| i32::try_from(milli / 1000).ok());
        // Newer cards show the power of this moment, older ones an average.
        let power = ["power1_average", "power1_input"].map(|name| sensors.join(name));
        card.watts = take.millionths("power", &power);
        card.watts_limit = take.millionths("power limit", &[sensors.join("power1_cap")]);
        card.core_mhz = take.megahertz("clock", &sensors.join("freq1_input"));
        card.memory_mhz = take.megahertz("memory clock", &sensors.join("freq2_input"));
        // Only server cards count energy: that most do not is no news.
        let energy = files::number::<u64>(&sensors.join("energy1_input")).ok();
        card.joules = energy.map(|millionths| millionths as f64 / 1e6);
    }
}

/// Reads, and notes what is missing.
struct Take<'a> {
    missing: &'a mut Vec<Missing>,
}

impl Take<'_> {
    fn number<T: FromStr>(&mut self, what: &str, paths: &[PathBuf]) -> Option<T> {
        let mut unread = Unread::Absent;
        for path in paths {
            match files::number(path) {
                Ok(number) => return Some(number),
                Err(Unread::Absent) => {}
                Err(unusable) => unread = unusable,
            }
        }
        self.miss(what, unread.why());
        None
    }

    /// From millionths, as the kernel counts power.
    fn millionths(&mut self, what: &str, paths: &[PathBuf]) -> Option<f64> {
        let millionths: u64 = self.number(what, paths)?;
        Some(millionths as f64 / 1e6)
    }

    fn megahertz(&mut self, what: &str, path: &Path) -> Option<u32> {
        let hertz: u64 = self.number(what, &[path.to_owned()])?;
        u32::try_from(hertz / 1_000_000).ok()
    }

    fn memory(&mut self, device: &Path) -> Option<CardMemory> {
        let total: u64 = self.number("memory", &[device.join("mem_info_vram_total")])?;
        let used: u64 = self.number("memory", &[device.join("mem_info_vram_used")])?;
        if used > total || total == 0 {
            self.miss("memory", format!("the driver says {used} of {total} bytes"));
            return None;
        }
        Some(CardMemory {
            total,
            used,
            free: total - used,
        })
    }

    fn miss(&mut self, what: &str, why: String) {
        self.missing.push(Missing {
            what: what.to_owned(),
            why,
        });
    }
}

fn name(device: &Path) -> String {
    let product = files::text(&device.join("product_name")).unwrap_or_default();
    if !product.is_empty() {
        return shown(&product);
    }
    let model = files::text(&device.join("device")).unwrap_or_default();
    let model = model.strip_prefix("0x").unwrap_or("unknown model");
    format!("AMD {}", shown(model))
}

fn sensors(device: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(device.join("hwmon")).ok()?;
    entries.flatten().map(|entry| entry.path()).next()
}

#[cfg(test)]
#[path = "amd_tests.rs"]
mod tests;
