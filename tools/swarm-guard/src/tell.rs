//! A channel that carries records from the connections to the one place that writes them. A sender waits until its
//! record is written, so a call whose record cannot be written does not reach the engine.

use lib_common::emit::Emitter;
use lib_common::record::guard::{GuardCreated, GuardFinished, GuardPassed, GuardRefused, GuardStarted};
use lib_common::redact::Redactor;
use lib_common::text::Text;
use lib_common::{Io, Result};
use tokio::sync::{mpsc, oneshot};

#[derive(Debug)]
pub enum Event {
    Started(GuardStarted),
    Passed(GuardPassed),
    Created(GuardCreated),
    Refused(GuardRefused),
    Finished(GuardFinished),
}

/// The sending end, which all connections share.
#[derive(Clone)]
pub struct Teller(mpsc::UnboundedSender<(Event, oneshot::Sender<()>)>);

/// The receiving end.
pub struct Told(mpsc::UnboundedReceiver<(Event, oneshot::Sender<()>)>);

pub fn channel() -> (Teller, Told) {
    let (send, receive) = mpsc::unbounded_channel();
    (Teller(send), Told(receive))
}

/// The record could not be written, because the guard is ending.
#[derive(Debug)]
pub struct Unheard;

impl Teller {
    /// Sends a record and returns when it is written.
    pub async fn tell(&self, event: Event) -> std::result::Result<(), Unheard> {
        let (write, written) = oneshot::channel();
        self.0.send((event, write)).map_err(|_| Unheard)?;
        written.await.map_err(|_| Unheard)
    }
}

/// Runs `work` to its end, and writes all records that are sent meanwhile.
pub async fn written<T>(
    mut told: Told,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
    work: impl Future<Output = T>,
) -> Result<T> {
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            Some((event, write)) = told.0.recv() => {
                emit(io, emitter, event)?;
                // Ignore a closed channel: the sender's connection was cut.
                let _ = write.send(());
            }
            done = &mut work => break done,
        }
    };
    while let Ok((event, _)) = told.0.try_recv() {
        emit(io, emitter, event)?;
    }
    Ok(done)
}

fn emit(io: &mut Io, emitter: &mut Emitter, event: Event) -> Result<()> {
    match event {
        Event::Started(record) => emitter.emit(io, &record),
        Event::Passed(record) => emitter.emit(io, &record),
        Event::Created(record) => emitter.emit(io, &record),
        Event::Refused(record) => emitter.emit(io, &redacted(record)),
        Event::Finished(record) => emitter.emit(io, &record),
    }
}

/// Redacts a refusal: it quotes what the client sent, which may hold secrets.
fn redacted(record: GuardRefused) -> GuardRefused {
    let mut redactor = Redactor::new::<&str>(&[]);
    let mut hide = |text: Text| Text(redactor.text(&text.0));
    GuardRefused {
        call: hide(record.call),
        what: hide(record.what),
        remedy: record.remedy.map(hide),
        ..record
    }
}
