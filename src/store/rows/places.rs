//! Areas, access points, controllers and customers as rows.

use super::{Code, DamagedField, Stored, damaged, differing};
use crate::pb::store as pb;
use crate::store::tables;
use crate::types::{
    AccessPoint, AccessPointId, Area, AreaId, Controller, ControllerId, Customer, CustomerId,
    Direction, DisplayName, DoorId, FactorRequirement, FactorRule, Precision, ProtectionClass,
    ScheduleId,
};

impl Stored for Area {
    type Table = tables::Areas;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::AreaRow {
        pb::AreaRow {
            display_name: self.display_name.reveal().to_owned(),
            protection_class: self.class.number(),
            customers: self.customers.iter().map(ToString::to_string).collect(),
        }
    }

    fn from_row(key: &str, row: &pb::AreaRow) -> Result<Self, DamagedField> {
        let customers = row.customers.iter().map(|c| CustomerId::parse(c));
        Ok(Self {
            id: AreaId::parse(key).map_err(damaged("key"))?,
            display_name: name(&row.display_name)?,
            class: ProtectionClass::new(row.protection_class)
                .map_err(damaged("protection_class"))?,
            customers: customers
                .collect::<Result<_, _>>()
                .map_err(damaged("customers"))?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other; display_name, class, customers)
    }
}

impl Stored for AccessPoint {
    type Table = tables::AccessPoints;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::AccessPointRow {
        let rule = |rule: &FactorRule| pb::FactorRuleRow {
            schedule: rule.schedule.to_string(),
            requirement: rule.requirement.number(),
        };
        pb::AccessPointRow {
            door: self.door.to_string(),
            from_area: self.from_area.to_string(),
            to_area: self.to_area.to_string(),
            direction: self.direction.number(),
            default_requirement: self.default_requirement.number(),
            factor_rules: self.factor_rules.iter().map(rule).collect(),
        }
    }

    fn from_row(key: &str, row: &pb::AccessPointRow) -> Result<Self, DamagedField> {
        Ok(Self {
            id: AccessPointId::parse(key).map_err(damaged("key"))?,
            door: DoorId::parse(&row.door).map_err(damaged("door"))?,
            from_area: AreaId::parse(&row.from_area).map_err(damaged("from_area"))?,
            to_area: AreaId::parse(&row.to_area).map_err(damaged("to_area"))?,
            direction: Direction::from_number(row.direction).ok_or(DamagedField("direction"))?,
            default_requirement: FactorRequirement::from_number(row.default_requirement)
                .ok_or(DamagedField("default_requirement"))?,
            factor_rules: row
                .factor_rules
                .iter()
                .map(factor_rule)
                .collect::<Result<_, _>>()?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other;
            door, from_area, to_area, direction, default_requirement, factor_rules)
    }
}

fn factor_rule(row: &pb::FactorRuleRow) -> Result<FactorRule, DamagedField> {
    Ok(FactorRule {
        schedule: ScheduleId::parse(&row.schedule).map_err(damaged("factor_rules.schedule"))?,
        requirement: FactorRequirement::from_number(row.requirement)
            .ok_or(DamagedField("factor_rules.requirement"))?,
    })
}

impl Stored for Controller {
    type Table = tables::Controllers;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::ControllerRow {
        pb::ControllerRow {
            display_name: self.display_name.reveal().to_owned(),
        }
    }

    fn from_row(key: &str, row: &pb::ControllerRow) -> Result<Self, DamagedField> {
        Ok(Self {
            id: ControllerId::parse(key).map_err(damaged("key"))?,
            display_name: name(&row.display_name)?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other; display_name)
    }
}

impl Stored for Customer {
    type Table = tables::Customers;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::CustomerRow {
        pb::CustomerRow {
            display_name: self.display_name.reveal().to_owned(),
            precision: self.precision.number(),
            shared_area_grants: self.shared_area_grants,
        }
    }

    fn from_row(key: &str, row: &pb::CustomerRow) -> Result<Self, DamagedField> {
        Ok(Self {
            id: CustomerId::parse(key).map_err(damaged("key"))?,
            display_name: name(&row.display_name)?,
            precision: Precision::from_number(row.precision).ok_or(DamagedField("precision"))?,
            shared_area_grants: row.shared_area_grants,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other; display_name, precision, shared_area_grants)
    }
}

pub(super) fn name(text: &str) -> Result<DisplayName, DamagedField> {
    DisplayName::parse(text).map_err(damaged("display_name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_point_reads_back_as_it_was_written() {
        let point = AccessPoint {
            id: AccessPointId::parse("ap-1").unwrap(),
            door: DoorId::parse("d-1").unwrap(),
            from_area: AreaId::parse("lobby").unwrap(),
            to_area: AreaId::parse("cage").unwrap(),
            direction: Direction::Exit,
            default_requirement: FactorRequirement::BadgeAndPin,
            factor_rules: vec![FactorRule {
                schedule: ScheduleId::parse("office").unwrap(),
                requirement: FactorRequirement::Badge,
            }],
        };
        assert_eq!(AccessPoint::from_row("ap-1", &point.to_row()), Ok(point));
    }

    #[test]
    fn a_damaged_row_names_its_field_and_not_its_value() {
        let row = pb::AreaRow {
            display_name: "Cage".to_owned(),
            protection_class: 9,
            customers: Vec::new(),
        };
        let fault = Area::from_row("cage", &row).unwrap_err();
        let fault = fault.in_row::<tables::Areas>("cage");
        assert_eq!(
            fault.to_string(),
            "the row `cage` of the table Areas is damaged in `protection_class`"
        );
    }
}
