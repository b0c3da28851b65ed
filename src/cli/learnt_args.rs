//! Flags of the commands about what a model bears and what was learnt about it.

use clap::{Args, Subcommand};

use super::flags::{slots, text, window};
use crate::context::CacheType;

const PROBE_EXAMPLE: &str = "\
Example:
  batchtop probe --model gemma3:12b --num-ctx-max 65536 --parallel-max 4

It loads the model many times and takes minutes; other clients of the server wait meanwhile.
Interrupted, it keeps what it measured, and the same command goes on.";

/// Flags of `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Plan {
    /// Model to plan for [default: the one of the settings]
    #[arg(long, value_name = "MODEL", value_parser = text())]
    pub model: Option<String>,

    /// Context window of each slot, in tokens
    #[arg(long, value_name = "N", value_parser = window())]
    pub num_ctx: Option<u32>,

    /// Slots of the server, 1 to 4096
    #[arg(long, value_name = "N", value_parser = slots())]
    pub parallel: Option<u32>,

    /// How the server keeps context: its `OLLAMA_KV_CACHE_TYPE` [default: f16]
    #[arg(long, value_name = "TYPE", value_parser = |text: &str| text.parse::<CacheType>())]
    pub cache_type: Option<CacheType>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `probe`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = PROBE_EXAMPLE)]
pub struct Probe {
    /// Model to probe [default: the one of the settings]
    #[arg(long, value_name = "MODEL", value_parser = text())]
    pub model: Option<String>,

    /// Largest window to try, in tokens [default: 131072, or what the model was trained for]
    #[arg(long, value_name = "N", value_parser = window())]
    pub num_ctx_max: Option<u32>,

    /// Most requests at once to try [default: 8]
    #[arg(long, value_name = "N", value_parser = slots())]
    pub parallel_max: Option<u32>,

    /// Begin anew instead of going on behind the stored steps
    #[arg(long)]
    pub again: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `profile`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Profile {
    /// What to do with them; nothing stands for showing all.
    #[command(subcommand)]
    pub action: Option<ProfileAction>,

    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with profiles.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ProfileAction {
    /// Show what was learnt about one model
    Show {
        /// Name of the model
        #[arg(value_name = "MODEL", value_parser = text())]
        model: String,
    },
    /// Forget what was learnt
    Forget(Forget),
}

/// Flags of `profile forget`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct Forget {
    /// Name of the model
    #[arg(value_name = "MODEL", value_parser = text())]
    pub model: Option<String>,

    /// All models
    #[arg(long)]
    pub all: bool,
}
