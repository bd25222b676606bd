//! `DirectoryService`: reads what the site consists of, as far as it is the caller's.

mod view;

mod page;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use tracing::instrument;

use self::page::{Kind, Page};
use self::view::View;
use super::rule_desk::{RuleDesk, load_fault};
use super::status::{invalid, not_found};
use crate::pb::v1 as pb;
use crate::pb::v1::directory_service_server::DirectoryService;
use crate::policy::RosterParts;
use crate::service::caller::caller;
use crate::store::rows::{RowSource as _, load_site};
use crate::store::tables::Badges;
use crate::types::{
    AccessPointId, AreaId, BadgeId, ControllerId, CustomerId, DoorId, InvalidId, PersonId,
    ReaderId, ScheduleId, SpecialDaysId,
};

/// Reads the site's resources.
#[derive(Debug)]
pub struct Directory {
    desk: Arc<RuleDesk>,
}

impl Directory {
    /// Over the rules.
    pub fn new(desk: Arc<RuleDesk>) -> Self {
        Self { desk }
    }

    /// What a caller sees of something.
    fn see<Q, T>(
        &self,
        request: &Request<Q>,
        look: impl FnOnce(&RosterParts, &View<'_>) -> Option<T>,
    ) -> Result<Option<T>, Status> {
        let caller = caller(request)?;
        let rules = self.desk.rules();
        Ok(look(&rules.parts, &View::new(&caller, &rules.parts)))
    }
}

/// The id in a resource name.
fn name<I>(
    field: &'static str,
    name: &str,
    parse: impl Fn(&str) -> Result<I, InvalidId>,
) -> Result<I, Status> {
    parse(name).map_err(|e| invalid(field, e.to_string()))
}

#[tonic::async_trait]
impl DirectoryService for Directory {
    #[instrument(name = "directory.site", skip_all)]
    async fn get_site(
        &self,
        request: Request<pb::GetSiteRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        caller(&request)?;
        let rules = self.desk.rules();
        let row = load_site(self.desk.reader()).map_err(|e| load_fault(&e))?;
        Ok(Response::new(pb::Site {
            name: format!("sites/{}", row.id),
            display_name: row.display_name,
            time_zone: row.time_zone,
            etag: super::site::site_etag(&rules),
            duress_pin: row.duress_pin,
        }))
    }

    async fn get_area(
        &self,
        request: Request<pb::GetAreaRequest>,
    ) -> Result<Response<pb::Area>, Status> {
        let id = name("name", &request.get_ref().name, AreaId::from_name)?;
        let found = self.see(&request, |parts, view| view.area(parts.areas.get(&id)?))?;
        found.map(Response::new).ok_or_else(|| not_found("area"))
    }

    async fn list_areas(
        &self,
        request: Request<pb::ListAreasRequest>,
    ) -> Result<Response<pb::ListAreasResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListAreas", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: AreaId::parse,
            values: |parts| &parts.areas,
            look: |view, value| view.area(value),
        };
        let (areas, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListAreasResponse {
            areas,
            next_page_token,
        }))
    }

    async fn get_door(
        &self,
        request: Request<pb::GetDoorRequest>,
    ) -> Result<Response<pb::Door>, Status> {
        let id = name("name", &request.get_ref().name, DoorId::from_name)?;
        let found = self.see(&request, |parts, view| view.door(parts.doors.get(&id)?))?;
        found.map(Response::new).ok_or_else(|| not_found("door"))
    }

    async fn list_doors(
        &self,
        request: Request<pb::ListDoorsRequest>,
    ) -> Result<Response<pb::ListDoorsResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListDoors", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: DoorId::parse,
            values: |parts| &parts.doors,
            look: |view, value| view.door(value),
        };
        let (doors, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListDoorsResponse {
            doors,
            next_page_token,
        }))
    }

    async fn get_access_point(
        &self,
        request: Request<pb::GetAccessPointRequest>,
    ) -> Result<Response<pb::AccessPoint>, Status> {
        let id = name("name", &request.get_ref().name, AccessPointId::from_name)?;
        let found = self.see(&request, |parts, view| {
            view.access_point(parts.access_points.get(&id)?)
        })?;
        found
            .map(Response::new)
            .ok_or_else(|| not_found("access point"))
    }

    async fn list_access_points(
        &self,
        request: Request<pb::ListAccessPointsRequest>,
    ) -> Result<Response<pb::ListAccessPointsResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListAccessPoints", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: AccessPointId::parse,
            values: |parts| &parts.access_points,
            look: |view, value| view.access_point(value),
        };
        let (access_points, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListAccessPointsResponse {
            access_points,
            next_page_token,
        }))
    }

    async fn get_reader(
        &self,
        request: Request<pb::GetReaderRequest>,
    ) -> Result<Response<pb::Reader>, Status> {
        let id = name("name", &request.get_ref().name, ReaderId::from_name)?;
        let found = self.see(&request, |parts, view| view.reader(parts.readers.get(&id)?))?;
        found.map(Response::new).ok_or_else(|| not_found("reader"))
    }

    async fn list_readers(
        &self,
        request: Request<pb::ListReadersRequest>,
    ) -> Result<Response<pb::ListReadersResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListReaders", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: ReaderId::parse,
            values: |parts| &parts.readers,
            look: |view, value| view.reader(value),
        };
        let (readers, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListReadersResponse {
            readers,
            next_page_token,
        }))
    }

    async fn get_controller(
        &self,
        request: Request<pb::GetControllerRequest>,
    ) -> Result<Response<pb::Controller>, Status> {
        let id = name("name", &request.get_ref().name, ControllerId::from_name)?;
        let found = self.see(&request, |parts, view| {
            view.controller(parts.controllers.get(&id)?)
        })?;
        found
            .map(Response::new)
            .ok_or_else(|| not_found("controller"))
    }

    async fn list_controllers(
        &self,
        request: Request<pb::ListControllersRequest>,
    ) -> Result<Response<pb::ListControllersResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListControllers", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: ControllerId::parse,
            values: |parts| &parts.controllers,
            look: |view, value| view.controller(value),
        };
        let (controllers, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListControllersResponse {
            controllers,
            next_page_token,
        }))
    }

    async fn get_customer(
        &self,
        request: Request<pb::GetCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let id = name("name", &request.get_ref().name, CustomerId::from_name)?;
        let found = self.see(&request, |parts, view| {
            view.customer(parts.customers.get(&id)?)
        })?;
        found
            .map(Response::new)
            .ok_or_else(|| not_found("customer"))
    }

    async fn list_customers(
        &self,
        request: Request<pb::ListCustomersRequest>,
    ) -> Result<Response<pb::ListCustomersResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListCustomers", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: CustomerId::parse,
            values: |parts| &parts.customers,
            look: |view, value| view.customer(value),
        };
        let (customers, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListCustomersResponse {
            customers,
            next_page_token,
        }))
    }

    async fn get_schedule(
        &self,
        request: Request<pb::GetScheduleRequest>,
    ) -> Result<Response<pb::Schedule>, Status> {
        let id = name("name", &request.get_ref().name, ScheduleId::from_name)?;
        let found = self.see(&request, |parts, view| {
            view.schedule(parts.schedules.get(&id)?)
        })?;
        found
            .map(Response::new)
            .ok_or_else(|| not_found("schedule"))
    }

    async fn list_schedules(
        &self,
        request: Request<pb::ListSchedulesRequest>,
    ) -> Result<Response<pb::ListSchedulesResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListSchedules", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: ScheduleId::parse,
            values: |parts| &parts.schedules,
            look: |view, value| view.schedule(value),
        };
        let (schedules, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListSchedulesResponse {
            schedules,
            next_page_token,
        }))
    }

    async fn get_special_days(
        &self,
        request: Request<pb::GetSpecialDaysRequest>,
    ) -> Result<Response<pb::SpecialDays>, Status> {
        let id = name("name", &request.get_ref().name, SpecialDaysId::from_name)?;
        let found = self.see(&request, |parts, view| {
            view.special_days(parts.special_days.get(&id)?)
        })?;
        found
            .map(Response::new)
            .ok_or_else(|| not_found("set of special days"))
    }

    async fn list_special_days_sets(
        &self,
        request: Request<pb::ListSpecialDaysSetsRequest>,
    ) -> Result<Response<pb::ListSpecialDaysSetsResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListSpecialDaysSets", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: SpecialDaysId::parse,
            values: |parts| &parts.special_days,
            look: |view, value| view.special_days(value),
        };
        let (special_days_sets, next_page_token) = self.list(&request, &page, &kind)?;
        Ok(Response::new(pb::ListSpecialDaysSetsResponse {
            special_days_sets,
            next_page_token,
        }))
    }

    #[instrument(name = "directory.person", skip_all)]
    async fn get_person(
        &self,
        request: Request<pb::GetPersonRequest>,
    ) -> Result<Response<pb::Person>, Status> {
        let id = name("name", &request.get_ref().name, PersonId::from_name)?;
        let found = self.see(&request, |parts, view| view.person(parts.persons.get(&id)?))?;
        let person = found.ok_or_else(|| not_found("person"))?;
        let message = self.person(&person).map_err(|e| load_fault(&e))?;
        Ok(Response::new(message))
    }

    #[instrument(name = "directory.persons", skip_all)]
    async fn list_persons(
        &self,
        request: Request<pb::ListPersonsRequest>,
    ) -> Result<Response<pb::ListPersonsResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListPersons", asked.page_size, &asked.page_token)?;
        let kind = Kind {
            parse: PersonId::parse,
            values: |parts| &parts.persons,
            look: |view, person| view.person(person),
        };
        let (found, next_page_token) = self.list(&request, &page, &kind)?;
        let persons = found.iter().map(|person| self.person(person));
        let persons = persons.collect::<Result<_, _>>();
        Ok(Response::new(pb::ListPersonsResponse {
            persons: persons.map_err(|e| load_fault(&e))?,
            next_page_token,
        }))
    }

    #[instrument(name = "directory.badge", skip_all)]
    async fn get_badge(
        &self,
        request: Request<pb::GetBadgeRequest>,
    ) -> Result<Response<pb::Badge>, Status> {
        let caller = caller(&request)?;
        let id = name("name", &request.get_ref().name, BadgeId::from_name)?;
        let row = self.desk.reader().one::<Badges>(&id.to_string());
        let row = row.map_err(|e| load_fault(&e))?;
        let rules = self.desk.rules();
        let view = View::new(&caller, &rules.parts);
        let found = row.and_then(|row| self.badge(&view, &rules.parts, id.as_str(), &row));
        found.map(Response::new).ok_or_else(|| not_found("badge"))
    }

    #[instrument(name = "directory.badges", skip_all)]
    async fn list_badges(
        &self,
        request: Request<pb::ListBadgesRequest>,
    ) -> Result<Response<pb::ListBadgesResponse>, Status> {
        let asked = request.get_ref();
        let page = Page::new("ListBadges", asked.page_size, &asked.page_token)?;
        let (badges, next_page_token) = self.badges(&request, &page)?;
        Ok(Response::new(pb::ListBadgesResponse {
            badges,
            next_page_token,
        }))
    }
}
