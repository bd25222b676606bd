use super::*;
use crate::control::ReaderOrder;
use crate::control::lines::{LineFault, ReaderPlan};
use crate::service::asking::{asked, operator, page_key};
use crate::types::{BusName, ReaderAddress, ReaderId, ReaderSecurity, UtcTime};

/// Lines on which three readers were seen.
#[derive(Debug)]
struct Three;

impl ReaderLines for Three {
    fn plan(&self, _: Vec<ReaderPlan>) {}

    fn send(&self, reader: &ReaderId, _: ReaderOrder) -> Result<(), LineFault> {
        Err(LineFault::Unknown(reader.clone()))
    }

    fn statuses(&self) -> Vec<LinkStatus> {
        ["a", "b", "c"].map(status).to_vec()
    }
}

fn status(id: &str) -> LinkStatus {
    LinkStatus {
        plan: ReaderPlan {
            reader: ReaderId::parse(id).unwrap(),
            bus: BusName::parse("north").unwrap(),
            address: ReaderAddress::new(3).unwrap(),
            security: ReaderSecurity::SecureChannel,
        },
        port: "/dev/ttyUSB0".to_owned(),
        state: LinkState::LineDown,
        trouble: "no such file".to_owned(),
        vendor: "00a1b2".to_owned(),
        model: "1.2".to_owned(),
        serial: "0000002a".to_owned(),
        firmware: "3.4.5".to_owned(),
        is_tampered: true,
        is_power_failing: false,
        inputs: Vec::new(),
        heard_at: UtcTime::from_unix(11).ok(),
        counters: LinkCounters {
            commands: 1,
            replies: 2,
            timeouts: 3,
            retries: 4,
            bad_frames: 5,
            bad_macs: 6,
            dropped: 7,
            busy: 8,
            naks: 9,
            sessions: 10,
            cards: 11,
        },
    }
}

#[tokio::test]
async fn readers_are_listed_page_by_page_with_all_that_is_known() {
    let api = ReaderApi::new(ReaderParts {
        lines: Arc::new(Three),
        page_key: page_key(),
    });
    let page = |page_token: String| {
        let page_size = 2;
        api.list_reader_statuses(asked(
            &operator(),
            ListReaderStatusesRequest {
                page_size,
                page_token,
            },
        ))
    };
    let first = page(String::new()).await.unwrap().into_inner();
    let last = page(first.next_page_token).await.unwrap().into_inner();
    assert_eq!(
        (first.statuses.len(), last.next_page_token),
        (2, String::new())
    );
    let expected = v1::ReaderStatus {
        reader: "readers/c".to_owned(),
        bus: "north".to_owned(),
        port: "/dev/ttyUSB0".to_owned(),
        address: 3,
        state: ReaderState::BusDown.into(),
        trouble: "no such file".to_owned(),
        vendor: "00a1b2".to_owned(),
        model: "1.2".to_owned(),
        serial: "0000002a".to_owned(),
        firmware: "3.4.5".to_owned(),
        is_tampered: true,
        heard_time: Some(prost_types::Timestamp {
            seconds: 11,
            nanos: 0,
        }),
        counters: Some(ReaderCounters {
            commands: 1,
            replies: 2,
            timeouts: 3,
            retries: 4,
            bad_frames: 5,
            bad_macs: 6,
            dropped: 7,
            busy: 8,
            naks: 9,
            sessions: 10,
            cards: 11,
        }),
    };
    assert_eq!(last.statuses, [expected]);
}
