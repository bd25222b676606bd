//! The site, areas, access points, controllers and customers.

use super::{Line, Reading};
use crate::pb::v1 as pb;
use crate::store::directory::DraftSite;
use crate::store::rows::Code as _;
use crate::types::{
    AccessPoint, AccessPointId, Area, AreaId, Controller, ControllerId, Customer, CustomerId,
    DisplayName, DoorId, FactorRule, ProtectionClass, ScheduleId, SiteZone,
};

/// Most owners of an area; bounds here keep rows under 4 KiB.
const OWNERS_MAX: usize = 32;
/// Most requirements by time at one access point.
const FACTOR_RULES_MAX: usize = 32;

pub(super) fn site(line: &mut Line<'_>, message: &pb::Site) -> Reading<DraftSite> {
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let zone = line.text("time_zone", &message.time_zone, SiteZone::parse);
    Some(DraftSite {
        display_name: display_name?,
        zone: zone?,
        duress_pin: message.duress_pin,
    })
}

pub(super) fn area(line: &mut Line<'_>, message: &pb::Area) -> Reading<Area> {
    let id = line.text("name", &message.name, AreaId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let class = ProtectionClass::new(message.protection_class);
    let class = line.keep("protection_class", class);
    let customers = line.each("customers", &message.customers, OWNERS_MAX, |l, f, name| {
        l.text(f, name, CustomerId::from_name)
    });
    Some(Area {
        id: id?,
        display_name: display_name?,
        class: class?,
        customers: customers?,
    })
}

pub(super) fn access_point(line: &mut Line<'_>, message: &pb::AccessPoint) -> Reading<AccessPoint> {
    let id = line.text("name", &message.name, AccessPointId::from_name);
    let door = line.text("door", &message.door, DoorId::from_name);
    let from_area = line.text("from_area", &message.from_area, AreaId::from_name);
    let to_area = line.text("to_area", &message.to_area, AreaId::from_name);
    let direction = line.code("direction", message.direction);
    let default_requirement = line.code("default_requirement", message.default_requirement);
    let rules = &message.factor_rules;
    let factor_rules = line.each("factor_rules", rules, FACTOR_RULES_MAX, factor_rule);
    Some(AccessPoint {
        id: id?,
        door: door?,
        from_area: from_area?,
        to_area: to_area?,
        direction: direction?,
        default_requirement: default_requirement?,
        factor_rules: factor_rules?,
    })
}

fn factor_rule(line: &mut Line<'_>, field: &str, message: &pb::FactorRule) -> Reading<FactorRule> {
    let schedule_field = format!("{field}.schedule");
    let schedule = line.text(&schedule_field, &message.schedule, ScheduleId::from_name);
    let requirement = line.code(&format!("{field}.requirement"), message.requirement);
    Some(FactorRule {
        schedule: schedule?,
        requirement: requirement?,
    })
}

pub(super) fn controller(line: &mut Line<'_>, message: &pb::Controller) -> Reading<Controller> {
    let id = line.text("name", &message.name, ControllerId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    Some(Controller {
        id: id?,
        display_name: display_name?,
    })
}

pub(super) fn customer(line: &mut Line<'_>, message: &pb::Customer) -> Reading<Customer> {
    let id = line.text("name", &message.name, CustomerId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let precision = line.code("precision", message.precision);
    Some(Customer {
        id: id?,
        display_name: display_name?,
        precision: precision?,
        shared_area_grants: message.shared_area_grants,
    })
}

/// An area as a message.
pub(in crate::service) fn area_message(area: &Area) -> pb::Area {
    pb::Area {
        name: area.id.name(),
        display_name: area.display_name.reveal().to_owned(),
        protection_class: area.class.number(),
        customers: area.customers.iter().map(CustomerId::name).collect(),
    }
}

/// An access point as a message.
pub(in crate::service) fn access_point_message(point: &AccessPoint) -> pb::AccessPoint {
    let rules = point.factor_rules.iter().map(|rule| pb::FactorRule {
        schedule: rule.schedule.name(),
        requirement: rule.requirement.wire(),
    });
    pb::AccessPoint {
        name: point.id.name(),
        door: point.door.name(),
        from_area: point.from_area.name(),
        to_area: point.to_area.name(),
        direction: point.direction.wire(),
        default_requirement: point.default_requirement.wire(),
        factor_rules: rules.collect(),
    }
}

/// A controller as a message.
pub(in crate::service) fn controller_message(controller: &Controller) -> pb::Controller {
    pb::Controller {
        name: controller.id.name(),
        display_name: controller.display_name.reveal().to_owned(),
    }
}

/// A customer as a message.
pub(in crate::service) fn customer_message(customer: &Customer) -> pb::Customer {
    pb::Customer {
        name: customer.id.name(),
        display_name: customer.display_name.reveal().to_owned(),
        precision: customer.precision.wire(),
        shared_area_grants: customer.shared_area_grants,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::Faults;

    fn point() -> pb::AccessPoint {
        pb::AccessPoint {
            name: "accessPoints/d1-in".to_owned(),
            door: "doors/d1".to_owned(),
            from_area: "areas/lobby".to_owned(),
            to_area: "areas/cage".to_owned(),
            direction: 1,
            default_requirement: 2,
            factor_rules: vec![pb::FactorRule {
                schedule: "schedules/office".to_owned(),
                requirement: 1,
            }],
        }
    }

    fn read(message: &pb::AccessPoint) -> (Option<AccessPoint>, Vec<String>) {
        let mut faults = Faults::new();
        let read = access_point(
            &mut Line {
                number: 12,
                root: "access_point",
                faults: &mut faults,
            },
            message,
        );
        (
            read,
            faults.list().iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn an_access_point_comes_back_as_it_was_sent() {
        let read = read(&point()).0.unwrap();
        assert_eq!(access_point_message(&read), point());
    }

    #[test]
    fn an_unspecified_or_unknown_enum_is_a_fault_with_its_path() {
        let mut message = point();
        message.direction = 0;
        message.factor_rules[0].requirement = 9;
        message.door = "areas/d1".to_owned();
        let (read, faults) = read(&message);
        assert!(read.is_none());
        assert_eq!(
            faults,
            [
                "line 12: access_point.door: a name here has the form `doors/ID`",
                "line 12: access_point.direction: is required",
                "line 12: access_point.factor_rules[0].requirement: \
                 `9` is none of the values of the enum",
            ]
        );
    }
}
