//! The site, its customers, areas and controllers.

use super::item::{Item, Reader};
use crate::pb::v1::site_part::Part;
use crate::pb::v1::{Area, Controller, Customer, Precision, Site};
use crate::types::{AreaId, ControllerId, CustomerId, DisplayName, InvalidId, SiteId, SiteZone};

const PRECISIONS: [(&str, Precision); 3] = [
    ("hour", Precision::Hour),
    ("minute", Precision::Minute),
    ("second", Precision::Second),
];

pub(super) fn site(reader: &mut Reader, mut item: Item<'_>) -> Part {
    let id = item.optional(reader, "id", SiteId::parse);
    let display_name = item.checked(reader, "name", DisplayName::parse);
    let time_zone = item.checked(reader, "time_zone", SiteZone::parse);
    reader.zone = SiteZone::parse(&time_zone).ok();
    let duress_pin = item.flag(reader, "duress_pin");
    item.finish(reader);
    Part::Site(Site {
        name: id.map(|id| format!("sites/{id}")).unwrap_or_default(),
        display_name,
        time_zone,
        etag: String::new(),
        duress_pin,
    })
}

pub(super) fn customer(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Customer(Customer {
        name: item.id(reader, "id", customer_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
        precision: item
            .word(reader, "precision", &PRECISIONS)
            .unwrap_or_default()
            .into(),
        shared_area_grants: item.flag(reader, "shared_area_grants"),
    });
    item.finish(reader);
    vec![part]
}

pub(super) fn area(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Area(Area {
        name: item.id(reader, "id", area_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
        protection_class: item.required_number(reader, "class", 1..=4),
        customers: item.ids(reader, "customers", customer_name),
    });
    item.finish(reader);
    vec![part]
}

pub(super) fn controller(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Controller(Controller {
        name: item.id(reader, "id", controller_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
    });
    item.finish(reader);
    vec![part]
}

pub(super) fn customer_name(id: &str) -> Result<String, InvalidId> {
    CustomerId::parse(id).map(|id| id.name())
}

pub(super) fn area_name(id: &str) -> Result<String, InvalidId> {
    AreaId::parse(id).map(|id| id.name())
}

pub(super) fn controller_name(id: &str) -> Result<String, InvalidId> {
    ControllerId::parse(id).map(|id| id.name())
}
