//! What the site file says of doors, their sides and readers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::pb::v1::site_part::Part;
use crate::pb::v1::{Door, Reader, SitePart};
use crate::types::{AccessPointId, BusName, DoorId, ReaderId};

/// Doors, sides and readers of a site file, for whoever plays them.
#[derive(Debug)]
pub(super) struct SitePlan {
    pub(super) readers: BTreeMap<ReaderId, Reader>,
    pub(super) doors: BTreeMap<DoorId, Door>,
    /// The door that each side belongs to.
    sides: BTreeMap<AccessPointId, DoorId>,
}

impl SitePlan {
    pub(super) fn of(parts: &[SitePart]) -> Result<Self> {
        let mut plan = Self {
            readers: BTreeMap::new(),
            doors: BTreeMap::new(),
            sides: BTreeMap::new(),
        };
        for part in parts.iter().filter_map(|part| part.part.as_ref()) {
            if let Part::Reader(reader) = part {
                let id = ReaderId::from_name(&reader.name)?;
                plan.readers.insert(id, reader.clone());
            } else if let Part::Door(door) = part {
                let id = DoorId::from_name(&door.name)?;
                plan.doors.insert(id, door.clone());
            } else if let Part::AccessPoint(point) = part {
                let id = AccessPointId::from_name(&point.name)?;
                plan.sides.insert(id, DoorId::from_name(&point.door)?);
            }
        }
        Ok(plan)
    }

    /// The lines that readers hang on.
    pub(super) fn buses(&self) -> BTreeSet<BusName> {
        let names = self.readers.values().map(|reader| &reader.bus);
        names.filter_map(|bus| BusName::parse(bus).ok()).collect()
    }

    /// The door of a side.
    pub(super) fn door_of(&self, point: &AccessPointId) -> Result<&DoorId> {
        let door = self.sides.get(point);
        door.with_context(|| format!("the site has no access point `{point}`"))
    }

    /// The reader at a side, if Sluss polls one there.
    pub(super) fn reader_at(&self, point: &AccessPointId) -> Option<&ReaderId> {
        let name = point.name();
        let mut readers = self.readers.iter();
        let found = readers.find(|(_, reader)| reader.access_point == name);
        found.map(|(id, _)| id)
    }
}
