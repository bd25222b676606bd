//! What is asked of a site while the power may be cut: attempts, reports, acts, new rules.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use sluss::{
    policy::decide,
    store::{
        Act, AttemptEntry, JournalKind, Published, Recorded, Reported, ReportedEntry, RuleChange,
        Scribe, Source,
        keyring::{Category, Holder, KeyScope, Keyring},
    },
    types::{
        Attempt, BootId, Caller, ControllerId, DoorEventKind, PersonId, PinEvidence, ReasonSet,
        SourceEvent,
    },
};

use crate::{
    held::{Clients, Sent},
    inline_task::InlineTask,
    random::Random,
    recording::RecordingDisk,
    running::Running,
    site,
    staged_world::StagedWorld,
};

/// Versions of the rules in one run; the first brings everything but some persons.
const VERSIONS_MAX: u64 = 4;

/// How much is asked.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// Where chance begins.
    pub(crate) seed: u64,
    /// The run of the controllers; counters begin anew in each.
    pub(crate) boot: &'static str,
    /// How often each client asks for something.
    pub(crate) turns: u64,
}

/// What all clients share. When the last of them ends, the sender goes, which ends the wait.
struct Shift {
    workload: Workload,
    scribe: Scribe,
    published: Published,
    keyring: Arc<Keyring>,
    world: Arc<StagedWorld>,
    clients: Clients,
    disk: RecordingDisk,
    fault: Arc<Mutex<Option<anyhow::Error>>>,
    _working: Sender<()>,
}

impl Workload {
    /// Works on a site until all clients have had their turns, and ends it in order.
    pub(crate) fn run(
        self,
        running: Running,
        world: &Arc<StagedWorld>,
        clients: &Clients,
        disk: &RecordingDisk,
    ) -> Result<()> {
        let (working, ended) = channel();
        let fault = Arc::new(Mutex::new(None));
        let shift = Shift {
            workload: self,
            scribe: running.log.scribe,
            published: running.log.published,
            keyring: running.keyring,
            world: Arc::clone(world),
            clients: clients.clone(),
            disk: disk.clone(),
            fault: Arc::clone(&fault),
            _working: working,
        };
        start(Arc::new(shift), office);
        world.begin();
        // Nothing is ever sent: this answers when nobody is left that could.
        let _ = ended.recv();
        running.log.thread.stop();
        let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        fault.map_or(Ok(()), Err)
    }
}

fn start<F: Future<Output = Result<()>> + Send + 'static>(
    shift: Arc<Shift>,
    client: impl FnOnce(Arc<Shift>) -> F + Send + 'static,
) {
    InlineTask::start(async move {
        let fault = Arc::clone(&shift.fault);
        if let Err(error) = client(shift).await {
            let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert(error);
        }
    });
}

/// Changes the rules and the keyring, and writes acts; the others begin when there are rules.
async fn office(shift: Arc<Shift>) -> Result<()> {
    let mut random = Random::part(shift.workload.seed, 200);
    if shift.version() == 0 {
        shift.change_rules(&mut random).await?;
    }
    shift.subscribe()?;
    for which in 0..site::CONTROLLERS.len() {
        if which == 0 || !random.once_in(3) {
            start(Arc::clone(&shift), move |shift| gate(shift, which));
        }
    }
    for _ in 0..shift.workload.turns {
        match random.below(6) {
            0 if shift.version() < VERSIONS_MAX => shift.change_rules(&mut random).await?,
            1 => shift.erase(&mut random)?,
            _ => {}
        }
        let act = Act {
            kind: JournalKind::Started,
            actor: None,
            detail: "an act".to_owned(),
        };
        shift.scribe.record_act(act).await?;
    }
    // The site may also be cut off while nothing is being done.
    shift.disk.cut_now()?;
    Ok(())
}

/// A controller at its door.
async fn gate(shift: Arc<Shift>, which: usize) -> Result<()> {
    let part = u64::try_from(which)?.saturating_add(300);
    let mut random = Random::part(shift.workload.seed, part);
    let mut counter = 0_u64;
    for _ in 0..shift.workload.turns {
        shift.pass_time(&mut random);
        if random.once_in(5) {
            let count = random.below(3).saturating_add(1);
            let reports = (0..count)
                .map(|step| {
                    let counter = counter.saturating_add(step).saturating_add(1);
                    shift.report((which, counter), &mut random)
                })
                .collect::<Result<Vec<_>>>()?;
            counter = counter.saturating_add(count);
            shift.hand_in(reports).await?;
        } else {
            counter = counter.saturating_add(1);
            shift.attempt((which, counter), &mut random).await?;
        }
    }
    Ok(())
}

impl Shift {
    fn version(&self) -> u64 {
        self.published.rules.load().roster.version()
    }

    /// Holds every head of every feed from the moment it is published.
    fn subscribe(&self) -> Result<()> {
        for customer in self.published.doorbells.feeds() {
            let bell = self.published.doorbells.listen(&customer);
            let mut bell = bell.context("a feed has no doorbell")?;
            let clients = self.clients.clone();
            clients.head(customer.clone(), *bell.borrow_and_update());
            InlineTask::start(async move {
                while bell.changed().await.is_ok() {
                    clients.head(customer.clone(), *bell.borrow_and_update());
                }
            });
        }
        Ok(())
    }

    /// The monotonic clock goes on; the wall clock jumps by days now and then, and back at times.
    fn pass_time(&self, random: &mut Random) {
        let wall = match random.below(40) {
            0 => -7200,
            1..6 => 86_400,
            _ => 1,
        };
        self.world
            .pass(Duration::from_millis(random.below(700)), wall);
    }

    fn source(&self, (which, counter): (usize, u64)) -> Result<Source> {
        let controller = site::CONTROLLERS.get(which).context("no such controller")?;
        let event = SourceEvent {
            controller: ControllerId::parse(controller)?,
            boot: BootId::parse(self.workload.boot)?,
            counter,
        };
        Ok(Source {
            event,
            body: [7; 16],
        })
    }

    /// Presents a card until it is decided, and sometimes asks again.
    async fn attempt(&self, event: (usize, u64), random: &mut Random) -> Result<()> {
        let persons = site::person_count(self.version());
        let card = site::card(random.below(persons.saturating_add(4)))?;
        let (entry, sequence) = loop {
            let attempt = Attempt {
                access_point: site::point(event.0)?,
                card: card.clone(),
                pin: PinEvidence::NotGiven,
            };
            let (rules, now) = (self.published.rules.load(), self.world.time());
            let entry = AttemptEntry {
                source: Some(self.source(event)?),
                access_point: attempt.access_point.clone(),
                card: attempt.card.clone(),
                pin: attempt.pin,
                decision: decide(&rules.roster, &attempt, now.utc),
                rules_version: rules.roster.version(),
                event_at: now.utc,
                decided: now.moment,
            };
            let recorded = self.scribe.record_attempt(entry.clone()).await?;
            if let Some(sequence) = sequence_of(&recorded) {
                break (entry, sequence);
            }
        };
        self.clients.entry(Sent::Attempt(entry.clone()), sequence);
        if random.once_in(8) {
            let again = sequence_of(&self.scribe.record_attempt(entry).await?);
            ensure!(again == Some(sequence), "asking twice gave two entries");
        }
        Ok(())
    }

    fn report(&self, event: (usize, u64), random: &mut Random) -> Result<ReportedEntry> {
        let what = if random.once_in(2) {
            Reported::DoorEvent(DoorEventKind::DoorForced)
        } else {
            let persons = site::person_count(self.version());
            Reported::Attempt {
                card: site::card(random.below(persons.saturating_add(2)))?,
                granted: random.once_in(2),
                reasons: ReasonSet::EMPTY,
            }
        };
        Ok(ReportedEntry {
            source: Some(self.source(event)?),
            access_point: site::point(event.0)?,
            event_at: self.world.time().utc,
            what,
        })
    }

    async fn hand_in(&self, reports: Vec<ReportedEntry>) -> Result<()> {
        let known = self.scribe.record_reported(reports.clone()).await?;
        ensure!(known.len() == reports.len(), "some reports have no answer");
        for (report, known) in reports.into_iter().zip(known) {
            ensure!(!known.already_known, "a new report was known");
            self.clients
                .entry(Sent::Reported(report), known.entry.sequence);
        }
        Ok(())
    }

    async fn change_rules(&self, random: &mut Random) -> Result<()> {
        let base_version = self.version();
        let version = base_version.saturating_add(1);
        let now = self.world.time().utc;
        // Whoever brings persons seals their names before the change is written.
        let persons = site::person_count(base_version)..site::person_count(version);
        let scopes = persons
            .map(|before| Ok(contact(site::person(before.saturating_add(1))?)))
            .collect::<Result<Vec<_>>>()?;
        self.keyring.ensure(&scopes, &*self.world)?;
        let change = RuleChange {
            base_version,
            batch: site::change(version, now)?,
            rules: site::rules(site::parts(version)?, version)?,
            kind: JournalKind::SiteChanged,
            actor: Caller::Operator("op".into()),
            detail: "more persons".to_owned(),
            takes_away: random.once_in(2),
            lists: Vec::new(),
        };
        let changed = self.scribe.change_rules(change).await?;
        self.clients.rules(changed);
        Ok(())
    }

    /// Erases how a person is reached; what the log says of the person stays.
    fn erase(&self, random: &mut Random) -> Result<()> {
        let persons = site::person_count(self.version());
        let scope = contact(site::person(random.below(persons).saturating_add(1))?);
        if self.keyring.tombstone(&scope).is_none() {
            let removal = self.keyring.last_removal().saturating_add(1);
            self.keyring.erase(std::slice::from_ref(&scope), removal)?;
            self.clients.erased(scope);
        }
        Ok(())
    }
}

fn contact(person: PersonId) -> KeyScope {
    KeyScope::Person {
        person,
        holder: Holder::Site,
        category: Category::Contact,
    }
}

/// Number of a recorded attempt; `None` if it is to be decided again.
pub(crate) fn sequence_of(recorded: &Recorded) -> Option<u64> {
    match recorded {
        Recorded::Grant(receipt) => Some(receipt.entry().sequence),
        Recorded::Denial(receipt) => Some(receipt.entry().sequence),
        Recorded::AlreadyDecided(entry) => Some(entry.sequence),
        Recorded::DecideAgain => None,
    }
}

/// An attempt with a card that nobody has, at the first door.
pub(crate) fn stranger(running: &Running, world: &StagedWorld, boot: &str) -> Result<AttemptEntry> {
    let (rules, now) = (running.log.published.rules.load(), world.time());
    let attempt = Attempt {
        access_point: site::point(0)?,
        card: site::card(u64::MAX)?,
        pin: PinEvidence::NotGiven,
    };
    let Some(controller) = site::CONTROLLERS.first() else {
        bail!("there is no controller");
    };
    let event = SourceEvent {
        controller: ControllerId::parse(controller)?,
        boot: BootId::parse(boot)?,
        counter: 1,
    };
    Ok(AttemptEntry {
        source: Some(Source {
            event,
            body: [1; 16],
        }),
        access_point: attempt.access_point.clone(),
        card: attempt.card.clone(),
        pin: attempt.pin,
        decision: decide(&rules.roster, &attempt, now.utc),
        rules_version: rules.roster.version(),
        event_at: now.utc,
        decided: now.moment,
    })
}
