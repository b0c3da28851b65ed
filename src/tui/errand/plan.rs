//! Whether a model fits the cards, asked while the enqueue dialog is open.

use crate::context::{CacheType, Wish};
use crate::engine::ask_facts;
use crate::inference::{Ollama, Server};
use crate::model::Readings;

/// What is to be planned: the settings of the dialog on which memory depends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanAsked {
    /// The model's name.
    pub model: String,
    /// Window of one slot in tokens; `None` leaves it to the server.
    pub window: Option<u32>,
    /// Requests outstanding at most.
    pub slots: u32,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// One or two sentences: outside text.
    pub lines: Vec<String>,
    /// Whether part of the model surely runs on the processor: such a job starts only when that
    /// was agreed to.
    pub spills: bool,
}

pub(super) async fn plan(server: &Ollama, asked: &PlanAsked, cards: fn() -> Readings) -> Planned {
    let facts = match ask_facts(server, &asked.model).await {
        Ok(facts) => facts,
        Err(failure) => {
            return Planned {
                lines: vec![format!("no plan: {}", failure.message)],
                spills: false,
            };
        }
    };
    let readings = if server.is_local() {
        let read = tokio::task::spawn_blocking(cards).await;
        read.unwrap_or_default()
    } else {
        Readings::elsewhere(&server.address())
    };
    let wish = Wish {
        window: asked.window.map(u64::from),
        slots: asked.slots,
        cache: CacheType::default(),
    };
    let outlook = facts.outlook(&wish, &readings);
    Planned {
        lines: outlook.sentences(),
        spills: outlook.surely_spills(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::{Address, Timeouts};
    use crate::simulator::{Script, Simulator};

    fn no_card() -> Readings {
        Readings {
            absent: Some("no card".into()),
            ..Readings::default()
        }
    }

    async fn planned(model: &str) -> Planned {
        let simulator = Simulator::start_local(Script::demo()).await.unwrap();
        let address: Address = simulator.url().parse().unwrap();
        let server = Ollama::new(address, Timeouts::default()).unwrap();
        let asked = PlanAsked {
            model: model.into(),
            window: Some(8_192),
            slots: 2,
        };
        let planned = plan(&server, &asked, no_card).await;
        simulator.shutdown().await;
        planned
    }

    #[tokio::test]
    async fn it_says_what_the_model_takes_and_whether_that_fits() {
        let planned = planned("gemma3:12b").await;
        let [line] = planned.lines.as_slice() else {
            panic!("{planned:?}");
        };
        assert!(
            line.starts_with("gemma3:12b: weights 8.1 GB + context"),
            "{line}"
        );
        assert!(
            line.ends_with("whether it fits cannot be said: no card"),
            "{line}"
        );
        assert!(!planned.spills);
    }

    #[tokio::test]
    async fn what_the_server_cannot_tell_is_no_plan() {
        let planned = planned("nope").await;
        assert!(planned.lines[0].starts_with("no plan: "), "{planned:?}");
    }
}
