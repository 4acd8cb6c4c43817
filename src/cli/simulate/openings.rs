//! The openings: customers on sockets, an event for each, the time until it shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::customer::{Customer, Met};
use super::report::{Openings, Times};
use super::watch::Watch;
use super::{Simulate, settle};
use crate::cli::client::{Client, Posted};

/// How long an opening or an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects the sockets, sends the events, and waits for what shows.
///
/// # Errors
/// Where the server cannot be driven.
pub async fn run(simulate: &Simulate, identity_key: &str, client: &Arc<Client>) -> anyhow::Result<Openings> {
    let run = format!("{:x}", rand::random::<u32>());
    let wanted = simulate.openings.unwrap_or(simulate.sockets).min(simulate.sockets);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(simulate.sockets as u64).with_style(style.clone()).with_message("sockets");
    let connecting = stream::iter(0..simulate.sockets).map(|n| {
        let (run, bar) = (run.clone(), bar.clone());
        async move {
            let user = format!("{run}-{n}");
            let customer = Customer::connect(client.url(), identity_key, simulate.origin.as_deref(), &user).await;
            bar.inc(1);
            customer
        }
    });
    let connected: Vec<anyhow::Result<Customer>> = connecting.buffer_unordered(32).collect().await;
    let mut customers = connected.into_iter().collect::<anyhow::Result<Vec<_>>>().context("a socket was refused")?;
    bar.finish_and_clear();
    let idle = customers.split_off(wanted);
    let bar = ProgressBar::new(wanted as u64).with_style(style).with_message("openings");
    let begun = Instant::now();
    let mut running = Vec::with_capacity(wanted);
    for (n, customer) in customers.into_iter().enumerate() {
        let due = begun + Duration::from_secs_f64(n as f64 / f64::from(simulate.rate.max(1)));
        let (simulate, client, bar) = (simulate.clone(), Arc::clone(client), bar.clone());
        running.push(tokio::spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            let met = meet(&simulate, &client, customer, n).await;
            bar.inc(1);
            met
        }));
    }
    let mut openings = Openings {
        sockets: simulate.sockets,
        wanted,
        opened: 0,
        doubled: 0,
        misnumbered: 0,
        unanswered: 0,
        unrecorded: 0,
        accept: super::report::Percentiles::default(),
        opened_after: super::report::Percentiles::default(),
        first_word_after: super::report::Percentiles::default(),
        event_to_word: super::report::Percentiles::default(),
    };
    let (mut accept, mut opened_after) = (Times::new()?, Times::new()?);
    let (mut first_word, mut event_to_word) = (Times::new()?, Times::new()?);
    let mut customers = Vec::with_capacity(wanted);
    for met in running {
        let (accepted, met, customer) = met.await??;
        customers.push(customer);
        accept.add(accepted);
        openings.opened += usize::from(met.opened_after.is_some());
        if let Some(after) = met.event_to_word {
            event_to_word.add(after);
        }
        if let Some(after) = met.opened_after {
            opened_after.add(after);
        }
        match met.first_word_after {
            Some(after) => first_word.add(after),
            None if simulate.talk => openings.unanswered += 1,
            None => {}
        }
    }
    bar.finish_and_clear();
    settle(client).await?;
    let leaving = customers.into_iter().map(|customer| count(client, customer));
    for counted in stream::iter(leaving).buffer_unordered(16).collect::<Vec<_>>().await {
        let (watch, recorded) = counted?;
        openings.doubled += watch.openings.max(recorded).saturating_sub(1);
        openings.misnumbered += watch.misnumbered;
        openings.unrecorded += usize::from(recorded == 0);
    }
    drop(idle);
    openings.accept = accept.percentiles();
    openings.opened_after = opened_after.percentiles();
    openings.first_word_after = first_word.percentiles();
    openings.event_to_word = event_to_word.percentiles();
    Ok(openings)
}

/// What came on a customer's socket in all, and how many conversations the server has of this customer.
async fn count(client: &Client, customer: Customer) -> anyhow::Result<(Watch, usize)> {
    let path = format!("/v1/conversations?customer=user:{}", customer.user());
    let watch = customer.leave(PATIENCE).await?;
    let list = client.get(&path).await?;
    Ok((watch, list.get("items").and_then(Value::as_array).map_or(0, Vec::len)))
}

/// Sends the event of one customer while listening to their socket.
async fn meet(
    simulate: &Simulate,
    client: &Client,
    mut customer: Customer,
    n: usize,
) -> anyhow::Result<(Duration, Met, Customer)> {
    let data: Value = serde_json::from_str(&simulate.data.replace("{n}", &format!("{}-{n}", customer.user())))
        .context("--data is not JSON")?;
    let event = json!({
        "specversion": "1.0",
        "id": format!("open-{}", customer.user()),
        "source": "simulate",
        "type": simulate.event,
        "subject": customer.user(),
        "data": data,
    });
    let body = event.to_string();
    let sent = Instant::now();
    let posting = async {
        loop {
            match client.post_raw("/v1/events", "application/cloudevents+json", body.clone()).await? {
                Posted::Later(wait) => tokio::time::sleep(wait).await,
                Posted::Answer(_) => return anyhow::Ok(sent.elapsed()),
            }
        }
    };
    let words = simulate.talk.then_some(simulate.words.as_str());
    let (accepted, met) = tokio::join!(posting, customer.meet(sent, words, PATIENCE));
    Ok((accepted?, met?, customer))
}
