//! How a job went in a few figures, and what it cost.

use std::time::Duration;

use super::{Block, Progress, Section, Tile, known, number, span};
use crate::base::{Stamp, count, duration, money, share, short};
use crate::model::{CloudPrice, JobState};
use crate::report::page::Report;

/// What ran on what, in a line.
pub(in crate::report::page) fn lead(report: &Report) -> String {
    let mut parts = vec![report.job.state.word().to_owned()];
    match report.ran_on.last() {
        Some(told) => {
            let quantization = told.quantization.iter().map(|word| format!(" {word}"));
            parts.push(told.model.clone() + &quantization.collect::<String>());
            parts.extend(told.server_version.iter().map(|it| format!("server {it}")));
            parts.extend(told.cards.iter().cloned());
        }
        None => parts.extend(report.job.models.iter().cloned()),
    }
    parts.join(" · ")
}

pub(super) fn result(report: &Report) -> Section {
    let counts = &report.job.counts;
    let mut blocks = vec![
        Block::Progress(Progress {
            done: counts.done,
            failed: counts.failed,
            total: counts.total,
        }),
        Block::Tiles(tiles(report)),
    ];
    if !matches!(report.job.state, JobState::Done | JobState::Cancelled) {
        let text = "The job is not over: these are the figures so far.";
        blocks.push(Block::Note(text.to_owned()));
    }
    if let Some(warning) = report.job.settings.mode.warning() {
        blocks.push(Block::Note(format!("Careful: {warning}.")));
    }
    blocks.push(Block::Facts(facts(report)));
    Section {
        title: "Result",
        blocks,
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let (job, counts) = (&report.job, &report.job.counts);
    let state = match job.state.why() {
        Some(why) => format!("{}: {why}", job.state),
        None => job.state.to_string(),
    };
    let of_all = |part: u64| format!("{} ({})", count(part), share(part, counts.total));
    let mut facts = vec![
        ("State", state),
        ("Requests", count(counts.total)),
        ("Answered", of_all(counts.done)),
        ("of them cut off", count(counts.cut)),
        ("Failed", of_all(counts.failed)),
        ("Without an end yet", of_all(counts.left())),
        ("Started", known(job.started.map(Stamp::rfc3339))),
        ("Finished", known(job.finished.map(Stamp::rfc3339))),
        ("Time from the start", known(took(report).map(duration))),
    ];
    if let Some(left) = time_left(report) {
        facts.push(("Time left, at the mean rate so far", duration(left)));
    }
    facts.extend([
        ("Tokens of prompts", count(counts.prompt_tokens.0)),
        ("Tokens written", count(counts.answer_tokens.0)),
        ("Report written", report.written.rfc3339()),
    ]);
    facts
}

/// From the start of the job to its end, or until now; `None` where the clock was set back.
fn took(report: &Report) -> Option<Duration> {
    let job = &report.job;
    if job.finished.is_some() {
        return job.took();
    }
    let millis = u64::try_from(span(report)).ok()?;
    job.started.map(|_| Duration::from_millis(millis))
}

/// How long the rest takes at the mean rate so far; `None` where there is no rest or no rate.
fn time_left(report: &Report) -> Option<Duration> {
    let counts = &report.job.counts;
    let (left, ended) = (counts.left(), counts.done + counts.failed);
    if report.job.state.is_over() || left == 0 || ended == 0 {
        return None;
    }
    let seconds = took(report)?.as_secs_f64() * left as f64 / ended as f64;
    Duration::try_from_secs_f64(seconds).ok()
}

fn tiles(report: &Report) -> Vec<Tile> {
    let counts = &report.job.counts;
    let seconds = took(report)
        .map(|took| took.as_secs_f64())
        .filter(|seconds| *seconds > 0.0);
    let a_second = |count: u64| {
        let rate = seconds.map(|seconds| count as f64 / seconds);
        rate.map_or_else(String::new, |rate| format!("{} a second", number(rate)))
    };
    let mut tiles = vec![
        tile("Answered", count(counts.done), {
            let part = share(counts.done, counts.total);
            format!("{part} of {}", count(counts.total))
        }),
        tile(
            "Failed",
            count(counts.failed),
            share(counts.failed, counts.total),
        ),
    ];
    if let Some(took) = took(report) {
        let requests = a_second(counts.done + counts.failed);
        tiles.push(tile("Time", duration(took), requests));
    }
    let reused = report.reuse.share().map_or_else(
        || a_second(counts.prompt_tokens.0),
        |part| format!("{:.1} % reused", part * 100.0),
    );
    tiles.push(tile(
        "Tokens written",
        short(counts.answer_tokens.0),
        a_second(counts.answer_tokens.0),
    ));
    tiles.push(tile(
        "Tokens of prompts",
        short(counts.prompt_tokens.0),
        reused,
    ));
    tiles.extend(bill_tiles(report));
    tiles
}

fn bill_tiles(report: &Report) -> Vec<Tile> {
    let bill = &report.bill;
    let in_money = |amount: f64| money(amount, &bill.currency);
    let mut tiles = Vec::new();
    if let Some(energy) = report.job.energy {
        let cost = bill.cost.map(|cost| format!("≈ {}", in_money(cost)));
        tiles.push(tile(
            "Energy",
            crate::base::energy(energy.joules),
            cost.unwrap_or_default(),
        ));
    }
    if let Some(cost) = bill.cloud_cost {
        tiles.push(tile(
            "In a cloud",
            in_money(cost),
            "the same tokens".to_owned(),
        ));
    }
    tiles
}

const fn tile(name: &'static str, value: String, detail: String) -> Tile {
    Tile {
        name,
        value,
        detail,
    }
}

pub(super) fn cost(report: &Report) -> Section {
    let (bill, prices) = (&report.bill, &report.prices);
    let in_money = |amount: Option<f64>| known(amount.map(|amount| money(amount, &bill.currency)));
    let energy = report.job.energy.map(|energy| {
        let text = crate::base::energy(energy.joules);
        if energy.is_estimate() {
            text + " (estimate)"
        } else {
            text
        }
    });
    let saved = bill.cloud_cost.zip(bill.cost);
    let cloud = |CloudPrice { prompt, answer }: CloudPrice| {
        let currency = &prices.currency;
        format!(
            "{prompt} {currency} for a million tokens of prompts, {answer} {currency} of answers"
        )
    };
    let price = prices.kilowatt_hour;
    let facts = vec![
        ("Energy of the cards", known(energy)),
        ("What it cost", in_money(bill.cost)),
        ("The same tokens in a cloud", in_money(bill.cloud_cost)),
        (
            "Saved against the cloud",
            known(saved.map(|(cloud, here)| difference(cloud - here, &bill.currency))),
        ),
        (
            "Tokens written for each joule",
            known(bill.tokens_per_joule.map(number)),
        ),
        (
            "Price of a kilowatt-hour",
            known(price.map(|price| format!("{price} {}", prices.currency))),
        ),
        ("Prices of the cloud", known(prices.cloud.map(cloud))),
    ];
    Section {
        title: "Energy and cost",
        blocks: vec![Block::Facts(facts)],
    }
}

fn difference(amount: f64, currency: &str) -> String {
    let sign = if amount < 0.0 { "-" } else { "" };
    sign.to_owned() + &money(amount.abs(), currency)
}
