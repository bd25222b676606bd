//! Between the messages of the API and the words of the trade.
//!
//! Reading collects every fault of a message with the path of its field; a value that comes out
//! is valid. Writing never fails.

mod name;

mod door;
mod place;
mod time;

mod person;

mod list;

mod draft;

mod plan;

pub(in crate::service) use door::{door_message, reader_message};
pub(in crate::service) use draft::{list_lines, site_items};
pub(in crate::service) use list::{edition_message, entry_message, list_parent};
pub(in crate::service) use name::{Line, Reading};
pub(in crate::service) use person::{badge_message, person_message};
pub(in crate::service) use place::{
    access_point_message, area_message, controller_message, customer_message,
};
pub(in crate::service) use plan::plan_messages;
pub(in crate::service) use time::{
    instant, schedule_message, special_days_message, timestamp_message,
};
