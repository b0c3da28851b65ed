//! The cards: memory, load, heat, power and who uses them; or why none of it can be read.
//!
//! NVIDIA's cards are read through its management library (NVML) in this process, AMD's through
//! the files that their driver shows. Elsewhere there is nothing to read, which is said once.

mod amd;
mod files;
mod host;
mod nvidia;
mod scripted;
mod simulated;
mod told;

use std::fmt;
use std::path::PathBuf;

pub use amd::Amd;
pub use nvidia::Nvidia;
pub use scripted::Scripted;
pub use simulated::Simulated;

use crate::model::Readings;

/// Reads the cards. A sample takes a few milliseconds of calls that block, so it belongs on a
/// thread of its own.
///
/// A card that sleeps is left alone, but a card that is asked every second never falls asleep:
/// whoever takes the samples stops taking them while nothing runs.
pub trait Sampler: fmt::Debug + Send + 'static {
    /// Reads everything once. What cannot be read is `None`, never an error.
    fn sample(&mut self) -> Readings;
}

/// Where the cards are looked for. Tests give their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The names under which NVIDIA's library is tried, best first.
    pub nvml: Vec<PathBuf>,
    /// The folder of the kernel's graphics devices.
    pub drm: PathBuf,
    /// The folder of the devices on the PCI bus, where a card says whether it sleeps.
    pub pci: PathBuf,
    /// The folder in which the kernel tells about processes and memory.
    pub proc: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        // Without the developer's package there is only the name with the version.
        let names: &[&str] = if cfg!(windows) {
            &["nvml.dll"]
        } else {
            &[
                "libnvidia-ml.so.1",
                "libnvidia-ml.so",
                "/usr/lib/wsl/lib/libnvidia-ml.so.1",
            ]
        };
        Self {
            nvml: names.iter().map(PathBuf::from).collect(),
            drm: "/sys/class/drm".into(),
            pci: "/sys/bus/pci/devices".into(),
            proc: "/proc".into(),
        }
    }
}

/// Every card of this machine, of whichever maker.
#[derive(Debug)]
pub struct Cards {
    nvidia: Result<Nvidia, String>,
    amd: Amd,
    proc: PathBuf,
}

/// Looks for cards. Takes some tenths of a second where NVIDIA's driver must wake up first.
pub fn detect(places: &Places) -> Cards {
    Cards {
        nvidia: Nvidia::open(places),
        amd: Amd::find(&places.drm),
        proc: places.proc.clone(),
    }
}

impl Sampler for Cards {
    fn sample(&mut self) -> Readings {
        let mut readings = self.amd.sample();
        match &mut self.nvidia {
            Ok(nvidia) => {
                let mut first = nvidia.sample();
                first.cards.append(&mut readings.cards);
                first.news.append(&mut readings.news);
                readings = first;
            }
            Err(why) if readings.cards.is_empty() => {
                readings.absent = Some(format!("no AMD card, and no NVIDIA card: {why}"));
            }
            Err(_) => {}
        }
        if readings.cards.is_empty() && readings.absent.is_none() {
            readings.absent = Some("the drivers list no card".to_owned());
        }
        readings.host = host::memory(&self.proc);
        readings
    }
}

/// The cards of this machine, looked for when they are first asked, because that takes a while.
#[derive(Debug)]
pub struct Lazy {
    places: Places,
    cards: Option<Cards>,
}

impl Lazy {
    /// Cards in these places.
    pub const fn new(places: Places) -> Self {
        Self {
            places,
            cards: None,
        }
    }
}

impl Sampler for Lazy {
    fn sample(&mut self) -> Readings {
        let places = &self.places;
        self.cards.get_or_insert_with(|| detect(places)).sample()
    }
}

/// Cards that cannot be read from here; the memory of this machine can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Why, in a sentence.
    pub why: String,
    /// The folder in which the kernel tells about processes and memory.
    pub proc: PathBuf,
}

impl Sampler for Absent {
    fn sample(&mut self) -> Readings {
        Readings {
            absent: Some(self.why.clone()),
            host: host::memory(&self.proc),
            ..Readings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_cards_says_why() {
        let empty = tempfile::tempdir().unwrap();
        let places = Places {
            nvml: vec![empty.path().join("libnvidia-ml.so.1")],
            drm: empty.path().join("drm"),
            pci: empty.path().join("pci"),
            proc: empty.path().join("proc"),
        };
        let readings = detect(&places).sample();
        assert!(readings.cards.is_empty());
        let why = readings.absent.unwrap();
        assert!(
            why.starts_with("no AMD card, and no NVIDIA card: its library"),
            "{why}"
        );
        assert_eq!(readings.host, crate::model::HostMemory::default());
    }

    #[test]
    fn cards_are_looked_for_when_they_are_first_asked() {
        let empty = tempfile::tempdir().unwrap();
        let mut lazy = Lazy::new(Places {
            nvml: Vec::new(),
            drm: empty.path().join("drm"),
            ..Places::default()
        });
        let device = empty.path().join("drm/card0/device");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("vendor"), "0x1002").unwrap();
        assert_eq!(lazy.sample().cards.len(), 1);
    }

    #[test]
    fn absence_is_a_sampler_too() {
        let mut absent = Absent {
            why: "another machine".to_owned(),
            proc: PathBuf::from("/nowhere"),
        };
        assert_eq!(absent.sample().absent.as_deref(), Some("another machine"));
    }
}
