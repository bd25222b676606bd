//! Figures, and the one table that shows them.

use sluss::store::open_report::{RebuildReason, SledFound};

use crate::check::{Broken, Found};

/// Losses told one by one; more are counted.
const TOLD_MAX: usize = 5;

/// Figures of one kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Runs,
    Cuts,
    Images,
    CutAgain,
    NoSite,
    Entries,
    Heads,
    Unacknowledged,
    TornSegments,
    TornKeyrings,
    Snapshots,
    SledKept,
    SledRebuilt,
    SledBehind,
    SledFails,
    Unopened,
    Lost,
    Holes,
    Roots,
    Broken,
}

impl Figure {
    const ALL: [(Self, &'static str); 20] = [
        (Self::Runs, "runs"),
        (Self::Cuts, "cuts of the power"),
        (Self::Images, "images opened"),
        (Self::CutAgain, "- cut once more while opened"),
        (Self::NoSite, "- cut before there was a site"),
        (Self::TornSegments, "- with a torn segment"),
        (Self::TornKeyrings, "- with a torn keyring"),
        (Self::Snapshots, "- with a snapshot"),
        (Self::SledKept, "- sled kept"),
        (Self::SledRebuilt, "- sled rebuilt"),
        (Self::SledBehind, "  - it was behind its marker"),
        (Self::SledFails, "  - it did not open"),
        (Self::Entries, "entries clients held"),
        (Self::Heads, "heads clients held"),
        (Self::Unacknowledged, "entries found besides"),
        (Self::Unopened, "images that did not open"),
        (Self::Lost, "images that lost something held"),
        (Self::Holes, "images with a hole"),
        (Self::Roots, "images with another root"),
        (Self::Broken, "images with any of these"),
    ];
}

/// What became of images.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    figures: [u64; Figure::ALL.len()],
    told: Vec<String>,
}

impl Tally {
    /// A figure.
    pub(crate) fn get(&self, figure: Figure) -> u64 {
        place(figure)
            .and_then(|at| self.figures.get(at))
            .copied()
            .unwrap_or(0)
    }

    /// Counts.
    pub(crate) fn count(&mut self, figure: Figure, by: u64) {
        if let Some(known) = place(figure).and_then(|at| self.figures.get_mut(at)) {
            *known = known.saturating_add(by);
        }
    }

    /// Adds what another run found.
    pub(crate) fn add(&mut self, other: Self) {
        for (known, more) in self.figures.iter_mut().zip(other.figures) {
            *known = known.saturating_add(more);
        }
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
    }

    /// Counts what was found in an image; `of` says which one that is.
    pub(crate) fn image(&mut self, of: &str, found: &Found) {
        self.count(Figure::Images, 1);
        self.count(Figure::NoSite, found.no_site.into());
        self.count(Figure::TornKeyrings, found.keyring_torn.into());
        self.count(Figure::Unacknowledged, found.unacknowledged);
        if let Some(report) = &found.report {
            self.count(Figure::TornSegments, (report.zeroed_bytes > 0).into());
            self.count(Figure::Snapshots, report.snapshot.is_some().into());
            self.sled(&report.sled);
        }
        let kinds = [
            (Broken::Unopened, Figure::Unopened),
            (Broken::Lost, Figure::Lost),
            (Broken::Hole, Figure::Holes),
            (Broken::Root, Figure::Roots),
        ];
        for (how, figure) in kinds {
            let any = found.broken.iter().any(|broken| broken.0 == how);
            self.count(figure, any.into());
        }
        if let Some((how, what)) = found.broken.first() {
            let more = found.broken.len().saturating_sub(1);
            self.count(Figure::Broken, 1);
            self.told
                .push(format!("{of}: {how:?}: {what} (and {more} more)"));
        }
    }

    fn sled(&mut self, sled: &SledFound) {
        match sled {
            SledFound::Kept { .. } => self.count(Figure::SledKept, 1),
            SledFound::Rebuilt(why) => {
                self.count(Figure::SledRebuilt, 1);
                match why {
                    RebuildReason::Behind { .. } => self.count(Figure::SledBehind, 1),
                    RebuildReason::Fails(_) => self.count(Figure::SledFails, 1),
                    RebuildReason::NoMarker | RebuildReason::OtherBoot => {}
                }
            }
        }
    }

    /// Images in which sled had not what its marker vouched for, whether that was noticed or not.
    pub(crate) fn sled_lost(&self) -> u64 {
        let parts = [Figure::SledBehind, Figure::SledFails, Figure::Broken];
        parts.iter().map(|figure| self.get(*figure)).sum()
    }
}

fn place(figure: Figure) -> Option<usize> {
    Figure::ALL.iter().position(|row| row.0 == figure)
}

/// A kind of run, with its title in two lines and how long it took in seconds.
pub(crate) type Column = ((&'static str, &'static str), Tally, f32);

/// Prints all figures, and what was lost first.
pub(crate) fn print(columns: &[Column]) {
    let row = |title: &str, cells: Vec<String>| {
        let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:>17}")).collect();
        println!("crash: {title:<32}{}", cells.concat());
    };
    let cells = |cell: &dyn Fn(&Column) -> String| columns.iter().map(cell).collect();
    row("", cells(&|column| column.0.0.to_owned()));
    row("", cells(&|column| column.0.1.to_owned()));
    for (figure, title) in Figure::ALL {
        row(title, cells(&|column| column.1.get(figure).to_string()));
    }
    row("seconds", cells(&|column| format!("{:.1}", column.2)));
    for ((first, second), tally, _) in columns {
        for told in &tally.told {
            println!("crash: {first} {second}: {told}");
        }
    }
}
