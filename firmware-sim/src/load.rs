//! Many controllers at once, each with a few requests in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::line::Line;
use crate::words::answer;
use crate::{CallError, Card, Controller, Verdict, clock, pb};

/// Latencies kept for one lane; further ones are counted only.
const SAMPLES_MAX: usize = 2_000_000;
/// After so many failures in a row a lane gives up.
const FAILURES_IN_A_ROW_MAX: u32 = 8;

/// A controller, its door and the cards that are shown there in turn.
#[derive(Debug)]
pub struct Station {
    /// The controller.
    pub controller: Controller,
    /// Where, `accessPoints/{access_point}`.
    pub access_point: String,
    /// Cards, shown in turn; none means that the station stays idle.
    pub cards: Vec<Card>,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After so many attempts at each station.
    Count(u64),
    /// After so long; attempts in flight are waited for.
    Elapsed(Duration),
}

/// A load to put on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Requests that each controller has in flight at once, 1 or more.
    pub in_flight_per_controller: u16,
    /// When it ends.
    pub until: Until,
}

/// One answer, as the run's callback sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged<'a> {
    /// Place of the station in the list, from 0.
    pub controller: usize,
    /// Number of the attempt.
    pub counter: u64,
    /// The journal entry.
    pub entry: &'a str,
    /// What was decided.
    pub decision: Verdict,
}

/// How a run came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Latencies of the answered attempts in microseconds, rising.
    pub latencies_us: Vec<u32>,
    /// Number of answers.
    pub acknowledged_count: u64,
    /// Number of attempts that ended in an error.
    pub failed_count: u64,
    /// The first error.
    pub first_failure: Option<CallError>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl LoadReport {
    /// Answers per second, rounded down.
    pub fn per_second(&self) -> u64 {
        let micros = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX);
        self.acknowledged_count
            .saturating_mul(1_000_000)
            .checked_div(micros)
            .unwrap_or(0)
    }

    /// The latency that `permille` of 1000 answers do not exceed, in microseconds; 0 if none came.
    pub fn quantile_us(&self, permille: usize) -> u32 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = self.latencies_us.len().saturating_mul(permille) / 1000;
        self.latencies_us
            .get(index.min(last))
            .copied()
            .unwrap_or_default()
    }
}

impl Load {
    /// Runs it. `on_acknowledged` is called for each answer, from several tasks at once.
    pub async fn run<F>(&self, stations: Vec<Station>, on_acknowledged: F) -> LoadReport
    where
        F: Fn(Acknowledged<'_>) + Send + Sync + 'static,
    {
        let begun = clock::ticks();
        let told = Arc::new(on_acknowledged);
        let mut lanes = JoinSet::new();
        for (place, station) in stations.into_iter().enumerate() {
            let shared = Arc::new(Shared::of(&station, place, self.until, begun));
            for _ in 0..self.in_flight_per_controller.max(1) {
                lanes.spawn(lane(Arc::clone(&shared), Arc::clone(&told)));
            }
        }
        let mut report = LoadReport::default();
        while let Some(part) = lanes.join_next().await {
            report.add(part.unwrap_or_default());
        }
        report.latencies_us.sort_unstable();
        report.elapsed = begun.elapsed();
        report
    }
}

impl LoadReport {
    fn add(&mut self, part: Self) {
        self.latencies_us.extend(part.latencies_us);
        self.acknowledged_count += part.acknowledged_count;
        self.failed_count += part.failed_count;
        self.first_failure = self.first_failure.take().or(part.first_failure);
    }
}

/// What the lanes of one station share.
struct Shared {
    line: Line,
    template: pb::AuthorizeRequest,
    cards: Vec<pb::Card>,
    first_counter: u64,
    taken: AtomicU64,
    place: usize,
    until: Until,
    begun: Instant,
}

impl Shared {
    fn of(station: &Station, place: usize, until: Until, begun: Instant) -> Self {
        let (line, boot_id, last_counter) = station.controller.line();
        Self {
            line,
            template: pb::AuthorizeRequest {
                access_point: station.access_point.clone(),
                boot_id: boot_id.to_owned(),
                ..Default::default()
            },
            cards: station.cards.iter().map(Card::to_message).collect(),
            first_counter: last_counter.saturating_add(1),
            taken: AtomicU64::new(0),
            place,
            until,
            begun,
        }
    }

    /// The next attempt of the station, if the run is not over.
    fn next(&self) -> Option<pb::AuthorizeRequest> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let over = match self.until {
            Until::Count(count) => number >= count,
            Until::Elapsed(limit) => self.begun.elapsed() >= limit,
        };
        let count = u64::try_from(self.cards.len()).ok()?;
        let turn = usize::try_from(number.checked_rem(count)?).ok()?;
        let card = self.cards.get(turn)?;
        (!over).then(|| pb::AuthorizeRequest {
            counter: self.first_counter.saturating_add(number),
            card: Some(card.clone()),
            ..self.template.clone()
        })
    }
}

async fn lane<F>(shared: Arc<Shared>, told: Arc<F>) -> LoadReport
where
    F: Fn(Acknowledged<'_>),
{
    let mut report = LoadReport::default();
    let mut failures_in_a_row = 0_u32;
    while let Some(request) = shared.next() {
        let sent = clock::ticks();
        match shared.line.authorize(&request).await.and_then(answer) {
            Ok(answer) => {
                report.count(sent.elapsed());
                failures_in_a_row = 0;
                told(Acknowledged {
                    controller: shared.place,
                    counter: request.counter,
                    entry: &answer.entry,
                    decision: answer.decision,
                });
            }
            Err(fault) => {
                report.failed_count += 1;
                report.first_failure.get_or_insert(fault);
                failures_in_a_row += 1;
            }
        }
        if failures_in_a_row >= FAILURES_IN_A_ROW_MAX {
            break;
        }
    }
    report
}

impl LoadReport {
    fn count(&mut self, latency: Duration) {
        self.acknowledged_count += 1;
        if self.latencies_us.len() < SAMPLES_MAX {
            self.latencies_us
                .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fixture::serve;

    #[tokio::test]
    async fn every_attempt_of_a_load_has_its_own_number() {
        let (desk, settings) = serve();
        let mut stations = Vec::new();
        for boot in ["boot-1", "boot-2"] {
            stations.push(Station {
                controller: Controller::connect(&settings, boot).await.unwrap(),
                access_point: "accessPoints/a".to_owned(),
                cards: vec![Card::h10301(1, 1), Card::h10301(1, 2)],
            });
        }
        let load = Load {
            in_flight_per_controller: 4,
            until: Until::Count(25),
        };
        let told = Arc::new(Mutex::new(0));
        let heard = Arc::clone(&told);
        let report = load
            .run(stations, move |_| *heard.lock().unwrap() += 1)
            .await;
        assert_eq!((report.acknowledged_count, report.failed_count), (50, 0));
        assert_eq!(*told.lock().unwrap(), 50);
        assert_eq!(report.latencies_us.len(), 50);
        assert!(report.latencies_us.is_sorted());
        let script = desk.script();
        for boot in ["boot-1", "boot-2"] {
            let of_boot = script.attempts.iter().filter(|a| a.boot_id == boot);
            let mut counters: Vec<u64> = of_boot.map(|a| a.counter).collect();
            counters.sort_unstable();
            assert_eq!(counters, (1..=25).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_lane_gives_up_on_a_server_that_is_away() {
        let (desk, settings) = serve();
        desk.script().is_away = true;
        let station = Station {
            controller: Controller::connect(&settings, "boot-1").await.unwrap(),
            access_point: "accessPoints/a".to_owned(),
            cards: vec![Card::h10301(1, 1)],
        };
        let load = Load {
            in_flight_per_controller: 1,
            until: Until::Count(1_000_000),
        };
        let report = load.run(vec![station], |_| {}).await;
        assert_eq!(report.acknowledged_count, 0);
        assert_eq!(report.failed_count, u64::from(FAILURES_IN_A_ROW_MAX));
        assert!(report.first_failure.is_some_and(|f| f.means_own_rules()));
    }

    #[test]
    fn quantiles_of_a_report() {
        let report = LoadReport {
            latencies_us: (1..=100).collect(),
            acknowledged_count: 100,
            elapsed: Duration::from_millis(500),
            ..LoadReport::default()
        };
        assert_eq!(report.quantile_us(500), 51);
        assert_eq!(report.quantile_us(990), 100);
        assert_eq!(report.quantile_us(1000), 100);
        assert_eq!(report.per_second(), 200);
        assert_eq!(LoadReport::default().quantile_us(500), 0);
    }
}
