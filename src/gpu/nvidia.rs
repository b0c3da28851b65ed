//! NVIDIA's cards, through the driver's management library (NVML) in this process: no
//! `nvidia-smi` is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

use super::told::Told;
use super::{Places, Sampler, files};
use crate::base::shown;
use crate::model::{Card, CardMemory, CardProcess, CardState, Missing, Readings, Throttle};

/// Cards and processes looked at, at most.
const MOST_CARDS: u32 = 64;
const MOST_PROCESSES: usize = 256;
/// A process's name is read so far.
const LONGEST_NAME: usize = 256;
/// A chip this hot does not answer any more.
const HOTTEST: u32 = 200;

/// The NVIDIA cards of this machine.
#[derive(Debug)]
pub struct Nvidia {
    nvml: Nvml,
    driver: Option<String>,
    cards: Vec<Known>,
    /// Names of processes that were asked already; one that is gone is dropped.
    names: BTreeMap<u32, Option<String>>,
    proc: PathBuf,
    told: Told,
}

/// A card as it was found at the start. Its index may change when another one disappears.
#[derive(Debug)]
struct Known {
    index: u32,
    uuid: Option<String>,
    name: String,
    device: Option<PathBuf>,
    /// The driver's time of the newest sample of processes seen.
    seen: u64,
}

impl Nvidia {
    /// Loads NVIDIA's library and lists the cards.
    ///
    /// # Errors
    /// The reason in words, when there is no library, no driver or no right to use it.
    pub fn open(places: &Places) -> Result<Self, String> {
        let nvml = load(&places.nvml)?;
        let count = nvml.device_count().map_err(|error| error.to_string())?;
        let indices = 0..count.min(MOST_CARDS);
        let cards = indices.map(|index| Known::at(&nvml, index, &places.pci));
        Ok(Self {
            driver: nvml.sys_driver_version().ok().map(|text| shown(&text)),
            cards: cards.collect(),
            names: BTreeMap::new(),
            proc: places.proc.clone(),
            told: Told::default(),
            nvml,
        })
    }
}

impl Sampler for Nvidia {
    fn sample(&mut self) -> Readings {
        let mut names = Names {
            nvml: &self.nvml,
            proc: &self.proc,
            before: std::mem::take(&mut self.names),
            now: BTreeMap::new(),
        };
        let mut cards = Vec::with_capacity(self.cards.len());
        for known in &mut self.cards {
            let card = known.read(&self.nvml, &mut names);
            tell(&mut self.told, &card);
            cards.push(card);
        }
        self.names = names.now;
        Readings {
            cards,
            driver: self.driver.clone(),
            news: self.told.take(),
            ..Readings::default()
        }
    }
}

fn load(paths: &[PathBuf]) -> Result<Nvml, String> {
    let first = paths.first().map(|path| path.display().to_string());
    for path in paths {
        match Nvml::builder().lib_path(path.as_os_str()).init() {
            Ok(nvml) => return Ok(nvml),
            Err(NvmlError::LibloadingError(_)) => {}
            Err(NvmlError::FailedToLoadSymbol(_)) => {
                return Err(format!("`{}` is too old or no NVML", path.display()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let first = first.unwrap_or_default();
    Err(format!("its library `{first}` cannot be loaded"))
}

fn tell(told: &mut Told, card: &Card) {
    let lost = format!("{} lost", card.id);
    let name = &card.name;
    match &card.state {
        CardState::Lost { why } => told.once(&lost, || format!("{name} is lost: {why}")),
        CardState::Asleep => {}
        CardState::Awake => told.over(&lost, || format!("{name} is back")),
    }
    for Missing { what, why } in &card.missing {
        told.once(&format!("{} {what}", card.id), || {
            format!("{name}: {what} cannot be read: {why}")
        });
    }
}

impl Known {
    fn at(nvml: &Nvml, index: u32, pci: &Path) -> Self {
        let device = nvml.device_by_index(index).ok();
        let device = device.as_ref();
        let name = device.and_then(|device| device.name().ok());
        let bus = device.and_then(|device| device.pci_info().ok());
        Self {
            index,
            uuid: device.and_then(|device| device.uuid().ok()),
            name: name.map_or_else(|| format!("NVIDIA card {index}"), |name| shown(&name)),
            device: bus.map(|bus| pci.join(folder(&bus.bus_id))),
            seen: 0,
        }
    }

    fn read(&mut self, nvml: &Nvml, names: &mut Names<'_>) -> Card {
        let id = self.uuid.clone();
        let mut card = Card {
            id: id.unwrap_or_else(|| format!("nvidia-{}", self.index)),
            name: self.name.clone(),
            ..Card::default()
        };
        if self.device.as_deref().is_some_and(files::sleeps) {
            card.state = CardState::Asleep;
            return card;
        }
        let device = match &self.uuid {
            Some(uuid) => nvml.device_by_uuid(uuid.as_str()),
            None => nvml.device_by_index(self.index),
        };
        match device {
            Ok(device) => self.fill(&device, &mut card, names),
            Err(error) => card.state = lost(&error),
        }
        if matches!(card.state, CardState::Lost { .. }) {
            let Card {
                id, name, state, ..
            } = card;
            return Card {
                id,
                name,
                state,
                ..Card::default()
            };
        }
        card
    }

    fn fill(&mut self, device: &Device<'_>, card: &mut Card, names: &mut Names<'_>) {
        let mut take = Take::default();
        card.memory = take.memory(device);
        let load = take.one("load", device.utilization_rates());
        card.busy_percent = load.map(|load| load.gpu.min(100));
        card.celsius = take.temperature(device);
        card.watts = take.thousandths("power", device.power_usage());
        card.watts_limit = take.thousandths("power limit", device.enforced_power_limit());
        let energy = take.one("energy", device.total_energy_consumption());
        card.joules = energy.map(|thousandths| thousandths as f64 / 1e3);
        card.core_mhz = take.one("clock", device.clock_info(Clock::Graphics));
        card.memory_mhz = take.one("memory clock", device.clock_info(Clock::Memory));
        let reasons = take.one("throttling", device.current_throttle_reasons());
        card.throttled = reasons.map(throttles);
        card.processes = take.processes(device, names, &mut self.seen);
        card.missing = take.missing;
        if let Some(why) = take.lost {
            card.state = CardState::Lost { why };
        }
    }
}

/// Reads, and notes what is missing and whether the card is gone.
#[derive(Default)]
struct Take {
    missing: Vec<Missing>,
    lost: Option<String>,
}

impl Take {
    fn one<T>(&mut self, what: &str, read: Result<T, NvmlError>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                if is_lost(&error) {
                    self.lost.get_or_insert_with(|| error.to_string());
                } else {
                    self.miss(what, why(&error));
                }
                None
            }
        }
    }

    fn miss(&mut self, what: &str, why: String) {
        self.missing.push(Missing {
            what: what.to_owned(),
            why,
        });
    }

    fn thousandths(&mut self, what: &str, read: Result<u32, NvmlError>) -> Option<f64> {
        self.one(what, read).map(|value| f64::from(value) / 1e3)
    }

    fn memory(&mut self, device: &Device<'_>) -> Option<CardMemory> {
        let memory = self.one("memory", device.memory_info())?;
        let (total, used, free) = (memory.total, memory.used, memory.free);
        if total == 0 || used > total || free > total {
            let why = format!("the driver says {used} used and {free} free of {total} bytes");
            self.miss("memory", why);
            return None;
        }
        Some(CardMemory { total, used, free })
    }

    fn temperature(&mut self, device: &Device<'_>) -> Option<i32> {
        let celsius = self.one("temperature", device.temperature(TemperatureSensor::Gpu))?;
        if celsius > HOTTEST {
            self.miss("temperature", format!("the driver says {celsius} °C"));
            return None;
        }
        i32::try_from(celsius).ok()
    }

    fn processes(
        &mut self,
        device: &Device<'_>,
        names: &mut Names<'_>,
        seen: &mut u64,
    ) -> Option<Vec<CardProcess>> {
        let mut found = self.one("processes", device.running_compute_processes())?;
        // Programs that draw are neighbours, too; that a server's card has no such list is usual.
        found.extend(device.running_graphics_processes().unwrap_or_default());
        let busy = busy(device, seen);
        let mut processes: Vec<CardProcess> = Vec::new();
        for process in found.iter().take(MOST_PROCESSES) {
            if processes.iter().all(|known| known.pid != process.pid) {
                processes.push(named(process, names, busy.as_ref()));
            }
        }
        Some(processes)
    }
}

fn named(
    process: &ProcessInfo,
    names: &mut Names<'_>,
    busy: Option<&BTreeMap<u32, u32>>,
) -> CardProcess {
    let memory = match process.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    CardProcess {
        pid: process.pid,
        name: names.of(process.pid),
        memory,
        // Processes that did nothing have no sample.
        busy_percent: busy.map(|busy| busy.get(&process.pid).copied().unwrap_or(0)),
    }
}

/// How busy each process kept the card since the newest sample seen; `None` where the card does
/// not say.
fn busy(device: &Device<'_>, seen: &mut u64) -> Option<BTreeMap<u32, u32>> {
    let samples = match device.process_utilization_stats(*seen) {
        Ok(samples) => samples,
        // NVML's word for "no process did anything since".
        Err(NvmlError::NotFound) => Vec::new(),
        Err(_) => return None,
    };
    let mut busy = BTreeMap::new();
    for sample in samples {
        *seen = (*seen).max(sample.timestamp);
        busy.insert(sample.pid, sample.sm_util.min(100));
    }
    Some(busy)
}

/// The names of processes, each asked once.
struct Names<'a> {
    nvml: &'a Nvml,
    proc: &'a Path,
    before: BTreeMap<u32, Option<String>>,
    now: BTreeMap<u32, Option<String>>,
}

impl Names<'_> {
    fn of(&mut self, pid: u32) -> Option<String> {
        let known = self.now.get(&pid).or_else(|| self.before.get(&pid));
        let name = known.cloned().unwrap_or_else(|| self.ask(pid));
        self.now.insert(pid, name.clone());
        name
    }

    fn ask(&self, pid: u32) -> Option<String> {
        let told = self.nvml.sys_process_name(pid, LONGEST_NAME).ok();
        let name = told.filter(|name| !name.is_empty()).or_else(|| {
            let comm = self.proc.join(pid.to_string()).join("comm");
            files::text(&comm).ok()
        });
        name.map(|name| shown(&name))
    }
}

/// The folder of a card below `/sys/bus/pci/devices`: NVML writes `00000000:01:00.0`, the kernel
/// `0000:01:00.0`.
fn folder(bus: &str) -> String {
    let bus = bus.to_ascii_lowercase();
    match bus.split_once(':') {
        Some((domain, rest)) if domain.len() == 8 => {
            format!("{}:{rest}", domain.get(4..).unwrap_or_default())
        }
        _ => bus,
    }
}

fn is_lost(error: &NvmlError) -> bool {
    matches!(
        error,
        NvmlError::GpuLost | NvmlError::ResetRequired | NvmlError::Uninitialized
    )
}

fn lost(error: &NvmlError) -> CardState {
    CardState::Lost { why: why(error) }
}

fn why(error: &NvmlError) -> String {
    match error {
        NvmlError::FailedToLoadSymbol(_) => "the driver is too old for it".to_owned(),
        NvmlError::NotSupported => "the card does not support it".to_owned(),
        other => other.to_string(),
    }
}

fn throttles(reasons: ThrottleReasons) -> Vec<Throttle> {
    let table = [
        (ThrottleReasons::SW_POWER_CAP, Throttle::PowerLimit),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, Throttle::Heat),
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, Throttle::Heat),
        (
            ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN,
            Throttle::PowerSupply,
        ),
        (ThrottleReasons::HW_SLOWDOWN, Throttle::Hardware),
        (ThrottleReasons::SYNC_BOOST, Throttle::OtherCard),
        (
            ThrottleReasons::APPLICATIONS_CLOCKS_SETTING,
            Throttle::Settings,
        ),
        (ThrottleReasons::DISPLAY_CLOCK_SETTING, Throttle::Settings),
    ];
    let mut found = Vec::new();
    for (bit, throttle) in table {
        if reasons.contains(bit) && !found.contains(&throttle) {
            found.push(throttle);
        }
    }
    found
}

#[cfg(test)]
#[path = "nvidia_tests.rs"]
mod tests;
