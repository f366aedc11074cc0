//! Decides when a run may begin: within `--window`, while no other CI deploys (`--busy`), and with the slots taken.

use std::time::Duration;

use lib_common::clock::Clock;
use lib_common::diag::Diag;
use lib_common::docker::Engine;
use lib_common::{Error, Result};
use tokio::time::Instant;

use super::{Ask, Slot, SlotArgs, Slots, busy};
use crate::signals::Stop;

/// How often `--busy` is asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The conditions that a run has to wait for.
pub struct Gate<'g> {
    pub args: &'g SlotArgs,
    pub diag: &'g Diag,
    pub clock: &'g dyn Clock,
    pub stop: &'g Stop,
}

impl Gate<'_> {
    /// Waits for the gate, then takes the slots. If the gate has closed meanwhile it gives them back and waits again,
    /// so that nobody waits for a slot whose holder only waits itself. `Ok(None)` when a signal asked to stop.
    pub async fn admit(&self, engine: &Engine, ask: &Ask) -> Result<Option<Slot>> {
        let until = Instant::now() + ask.wait;
        let slots = Slots::open(engine, self.args.slots).await?;
        loop {
            if !self.wait(until).await? {
                return Ok(None);
            }
            let ask = Ask { wait: until.saturating_duration_since(Instant::now()), ..ask.clone() };
            let told = |obstacle: &str| self.diag.phase(format_args!("waiting for the slot, {obstacle}"));
            let Some(slot) = slots.take(&ask, self.stop, told).await? else { return Ok(None) };
            // The gate may have closed while we waited for the slot.
            match self.closed().await {
                Ok(None) => return Ok(Some(slot)),
                Ok(Some(_)) => slot.release().await?,
                Err(error) => {
                    slot.release().await?;
                    return Err(error);
                }
            }
        }
    }

    /// Waits until the gate is open. `false` when a signal asked to stop; an error with exit code 75 when it does not open
    /// in time.
    async fn wait(&self, until: Instant) -> Result<bool> {
        while let Some((obstacle, pause)) = self.closed().await? {
            let left = until.saturating_duration_since(Instant::now());
            // If the window opens only after the deadline, waiting for either is no use.
            if left.is_zero() || (pause > ASK_AGAIN && pause > left) {
                return Err(
                    Error::again("waiting for leave to start", obstacle).hint("wait longer with --wait")
                );
            }
            self.diag.phase(format_args!("waiting: {obstacle}"));
            let mut stop = self.stop.clone();
            tokio::select! {
                // Look at the clock again at least every hour, since it may be put forward or back (summer time).
                () = tokio::time::sleep(pause.min(left).min(Duration::from_hours(1))) => {}
                _ = stop.wait_for(Option::is_some) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// What keeps the gate closed, and how long to wait before looking again; `None` if it is open.
    async fn closed(&self) -> Result<Option<(String, Duration)>> {
        if let Some(window) = &self.args.window {
            let opens = window.opens_in(self.clock.now());
            if !opens.is_zero() {
                return Ok(Some((format!("the window opens in {} min", opens.as_secs() / 60 + 1), opens)));
            }
        }
        match &self.args.busy {
            Some(command) if busy::ask(command).await? => {
                Ok(Some((format!("'{command}' says that another CI is deploying"), ASK_AGAIN)))
            }
            _ => Ok(None),
        }
    }
}
