//! Places: site, areas, doors, access points, controllers.

use super::{
    AccessPointId, AreaId, ControllerId, CustomerId, DisplayName, DoorDrive, DoorId, DoorTiming,
    ScheduleId, SiteId, SiteZone,
};

/// The site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// Its time zone.
    pub zone: SiteZone,
    /// Whether a PIN whose last digit is one higher opens the door and raises an alarm.
    pub duress_pin: bool,
}

/// A class outside 1..=4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a protection class is 1 to 4")]
pub struct InvalidClass;

/// Protection class of an area, 1..=4; 4 is the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtectionClass(u8);

impl ProtectionClass {
    /// From its number.
    pub fn new(class: u32) -> Result<Self, InvalidClass> {
        u8::try_from(class)
            .ok()
            .filter(|c| (1..=4).contains(c))
            .map(Self)
            .ok_or(InvalidClass)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }
}

/// A space with a boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its id.
    pub id: AreaId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// Its class.
    pub class: ProtectionClass,
    /// Customers that own it; none for a shared area.
    pub customers: Vec<CustomerId>,
}

/// A controlled opening between two areas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Its id.
    pub id: DoorId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// What drives it.
    pub drive: DoorDrive,
    /// How long things may take at it.
    pub timing: DoorTiming,
}

/// An integrator's box that drives doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its id.
    pub id: ControllerId,
    /// Name shown to people.
    pub display_name: DisplayName,
}

/// Whether passing an access point enters or leaves the governed area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Enters `to_area`, which governs.
    Entry,
    /// Leaves `from_area`, which governs.
    Exit,
}

/// What has to be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorRequirement {
    /// The badge alone.
    Badge,
    /// The badge and its holder's PIN.
    BadgeAndPin,
    /// The badge and its holder's finger.
    BadgeAndFinger,
}

/// A requirement that holds while its schedule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorRule {
    /// When.
    pub schedule: ScheduleId,
    /// What.
    pub requirement: FactorRequirement,
}

/// One side of a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its id.
    pub id: AccessPointId,
    /// Its door.
    pub door: DoorId,
    /// The area that is left.
    pub from_area: AreaId,
    /// The area that is entered.
    pub to_area: AreaId,
    /// Whether passing here is an entry or an exit.
    pub direction: Direction,
    /// What has to be presented where no rule applies.
    pub default_requirement: FactorRequirement,
    /// Requirements by time; the first whose schedule holds is used.
    pub factor_rules: Vec<FactorRule>,
}

impl AccessPoint {
    /// The area whose owners' lists decide here: the one entered, or on the way out the one left.
    pub fn governing_area(&self) -> &AreaId {
        match self.direction {
            Direction::Entry => &self.to_area,
            Direction::Exit => &self.from_area,
        }
    }
}
