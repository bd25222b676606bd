//! Who may call what: one row for each RPC. What has no row is refused.
//!
//! A row says which kinds of callers may call at all. Which doors, customers or people a caller
//! may ask about is decided by what answers the call.

use crate::types::{
    Caller,
    CallerKind::{self, Controller, Customer, Desk, Operator},
};

const EVERYBODY: &[CallerKind] = &CallerKind::ALL;
const CONTROLLER: &[CallerKind] = &[Controller];
const CUSTOMER: &[CallerKind] = &[Customer];
const OPERATOR: &[CallerKind] = &[Operator];
const DESK_OPERATOR: &[CallerKind] = &[Desk, Operator];
const CUSTOMER_OPERATOR: &[CallerKind] = &[Customer, Operator];
const CONTROLLER_OPERATOR: &[CallerKind] = &[Controller, Operator];
const ALL_BUT_DESK: &[CallerKind] = &[Controller, Customer, Operator];

/// Path of an RPC, and the kinds of callers that may call it.
type Row = (&'static str, &'static [CallerKind]);

/// The rows. `tests` hold them against the API's descriptors and against
/// `tests/golden/roles.txt`, which is written by hand.
const ROWS: &[Row] = &[
    ("/sluss.v1.DoorService/Authorize", CONTROLLER),
    ("/sluss.v1.DoorService/ReportDoorEvents", CONTROLLER),
    ("/sluss.v1.DoorService/Session", CONTROLLER),
    ("/sluss.v1.DoorOrderService/OrderDoor", OPERATOR),
    ("/sluss.v1.DoorOrderService/GetDoorStatus", DESK_OPERATOR),
    ("/sluss.v1.DoorOrderService/ListDoorStatuses", DESK_OPERATOR),
    ("/sluss.v1.AlarmService/ListAlarms", DESK_OPERATOR),
    ("/sluss.v1.AlarmService/WatchAlarms", DESK_OPERATOR),
    ("/sluss.v1.AlarmService/AcknowledgeAlarm", DESK_OPERATOR),
    ("/sluss.v1.ReaderService/ListReaderStatuses", OPERATOR),
    ("/sluss.v1.FeedService/ListFeedLeaves", CUSTOMER),
    ("/sluss.v1.FeedService/Watch", CUSTOMER),
    (
        "/sluss.v1.AccessListService/GetAccessListVersion",
        CUSTOMER_OPERATOR,
    ),
    (
        "/sluss.v1.AccessListService/ListAccessListVersions",
        CUSTOMER_OPERATOR,
    ),
    (
        "/sluss.v1.AccessListService/ListAccessListEntries",
        CUSTOMER_OPERATOR,
    ),
    (
        "/sluss.v1.AccessListService/UploadAccessList",
        CUSTOMER_OPERATOR,
    ),
    (
        "/sluss.v1.AccessListService/PlanAccessList",
        CUSTOMER_OPERATOR,
    ),
    (
        "/sluss.v1.AccessListService/ApplyAccessList",
        CUSTOMER_OPERATOR,
    ),
    ("/sluss.v1.SiteService/UploadSite", OPERATOR),
    ("/sluss.v1.SiteService/PlanSite", OPERATOR),
    ("/sluss.v1.SiteService/ApplySite", OPERATOR),
    ("/sluss.v1.ExplainService/ExplainEntry", CUSTOMER_OPERATOR),
    ("/sluss.v1.ExplainService/WhatIf", CUSTOMER_OPERATOR),
    ("/sluss.v1.DirectoryService/GetSite", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/GetArea", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/ListAreas", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/GetDoor", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/ListDoors", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/GetAccessPoint", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/ListAccessPoints", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/GetReader", OPERATOR),
    ("/sluss.v1.DirectoryService/ListReaders", OPERATOR),
    (
        "/sluss.v1.DirectoryService/GetController",
        CONTROLLER_OPERATOR,
    ),
    (
        "/sluss.v1.DirectoryService/ListControllers",
        CONTROLLER_OPERATOR,
    ),
    // A controller needs to know neither tenants nor people.
    ("/sluss.v1.DirectoryService/GetCustomer", CUSTOMER_OPERATOR),
    (
        "/sluss.v1.DirectoryService/ListCustomers",
        CUSTOMER_OPERATOR,
    ),
    ("/sluss.v1.DirectoryService/GetPerson", CUSTOMER_OPERATOR),
    ("/sluss.v1.DirectoryService/ListPersons", CUSTOMER_OPERATOR),
    ("/sluss.v1.DirectoryService/GetBadge", CUSTOMER_OPERATOR),
    ("/sluss.v1.DirectoryService/ListBadges", CUSTOMER_OPERATOR),
    ("/sluss.v1.DirectoryService/GetSchedule", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/ListSchedules", ALL_BUT_DESK),
    ("/sluss.v1.DirectoryService/GetSpecialDays", ALL_BUT_DESK),
    (
        "/sluss.v1.DirectoryService/ListSpecialDaysSets",
        ALL_BUT_DESK,
    ),
    ("/grpc.health.v1.Health/Check", EVERYBODY),
    ("/grpc.health.v1.Health/Watch", EVERYBODY),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        EVERYBODY,
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        EVERYBODY,
    ),
];

/// The RPCs whose answer begins when their last message has come.
const UPLOADS: [&str; 2] = [
    "/sluss.v1.AccessListService/UploadAccessList",
    "/sluss.v1.SiteService/UploadSite",
];

/// Whether the RPC with this path is an upload, which takes as long as its sender.
pub(super) fn is_upload(path: &str) -> bool {
    UPLOADS.contains(&path)
}

/// Whether a caller may call the RPC with this path, `/{service}/{method}`.
pub fn allowed(path: &str, caller: &Caller) -> bool {
    row(path).is_some_and(|(_, kinds)| kinds.contains(&caller.kind()))
}

/// The path of a row, as a text that lives as long as the program; for traces.
pub(super) fn known_path(path: &str) -> Option<&'static str> {
    row(path).map(|(path, _)| *path)
}

fn row(path: &str) -> Option<&'static Row> {
    ROWS.iter().find(|(known, _)| *known == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::{FileDescriptorSet, MethodDescriptorProto};

    use super::*;
    use crate::pb;

    const ROLES: &str = include_str!("../../tests/golden/roles.txt");

    fn rpc_paths() -> BTreeSet<String> {
        paths_where(|_| true)
    }

    fn paths_where(wanted: impl Fn(&MethodDescriptorProto) -> bool) -> BTreeSet<String> {
        let sets = [
            pb::API_DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut paths = BTreeSet::new();
        for set in sets {
            for file in FileDescriptorSet::decode(set).unwrap().file {
                for service in &file.service {
                    for method in service.method.iter().filter(|m| wanted(m)) {
                        let (service, method) = (service.name(), method.name());
                        paths.insert(format!("/{}.{service}/{method}", file.package()));
                    }
                }
            }
        }
        paths
    }

    /// One line of the table by hand: which of the four kinds may call.
    fn role_line(path: &str, may: impl Fn(CallerKind) -> bool) -> String {
        let mark = |kind| if may(kind) { "yes" } else { "-" };
        let [a, b, c, d] = CallerKind::ALL.map(mark);
        format!("{} {a} {b} {c} {d}", path.trim_start_matches('/'))
    }

    #[test]
    fn invariant_6_every_rpc_has_a_row() {
        let rows: Vec<&str> = ROWS.iter().map(|(path, _)| *path).collect();
        let unique: BTreeSet<String> = rows.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(rows.len(), unique.len(), "a path has two rows");
        let rpcs = rpc_paths();
        assert!(rpcs.len() > 30, "the descriptors were not read");
        let without_row: Vec<_> = rpcs.difference(&unique).collect();
        let without_rpc: Vec<_> = unique.difference(&rpcs).collect();
        assert!(
            without_row.is_empty(),
            "RPCs without a row: {without_row:?}"
        );
        assert!(
            without_rpc.is_empty(),
            "rows without an RPC: {without_rpc:?}"
        );
    }

    #[test]
    fn invariant_6_roles_are_those_written_by_hand() {
        let by_hand: BTreeSet<String> = ROLES
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let by_rule: BTreeSet<String> = rpc_paths()
            .iter()
            .map(|path| {
                role_line(path, |kind| {
                    allowed(path, &Caller::parse(kind, "a").unwrap())
                })
            })
            .collect();
        let missing: Vec<_> = by_rule.difference(&by_hand).collect();
        let stale: Vec<_> = by_hand.difference(&by_rule).collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "rules say {missing:#?}\nthe table says {stale:#?}"
        );
    }

    #[test]
    fn the_uploads_are_those_of_the_api() {
        let of_api = paths_where(|m| m.client_streaming() && !m.server_streaming());
        assert_eq!(of_api, UPLOADS.map(str::to_owned).into());
    }

    #[test]
    fn a_path_without_a_row_is_refused_for_everybody() {
        for path in [
            "",
            "/",
            "/sluss.v1.DoorService/",
            "/sluss.v1.DoorService/authorize",
            "/x/Y",
        ] {
            for kind in CallerKind::ALL {
                assert!(!allowed(path, &Caller::parse(kind, "a").unwrap()), "{path}");
            }
        }
    }
}
