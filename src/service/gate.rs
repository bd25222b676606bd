//! The one way to the services: checks the certificate and the rules of every call, then routes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tracing::Instrument as _;

use super::auth::{Peer, Revocations};
use super::rules;
use super::status::{Reason, fault};
use crate::types::World;

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// A service behind the gate, whatever its type.
trait Route: Send + Sync {
    fn call(&self, request: Request) -> BoxFuture<Response, Infallible>;
}

impl<S> Route for S
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    fn call(&self, request: Request) -> BoxFuture<Response, Infallible> {
        let mut service = self.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            Service::call(&mut service, request).await
        })
    }
}

/// The services, by name.
#[derive(Default)]
pub struct Routes {
    services: BTreeMap<&'static str, Box<dyn Route>>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.services.keys()).finish()
    }
}

impl Routes {
    /// Adds a service; one of the same name that is there already is replaced.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request, Response = Response, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        self.services.insert(S::NAME, Box::new(service));
        self
    }
}

/// Lets a call through to its service only if the certificate of its connection still counts
/// and `rules` allow it; the service finds the [`Peer`] in the request's extensions.
///
/// Everything a server serves goes through here: it is the server's only service.
#[derive(Debug, Clone)]
pub struct Gate(Arc<GateParts>);

/// What a gate needs.
#[derive(Debug)]
pub struct GateParts {
    /// The services behind it.
    pub routes: Routes,
    /// Certificates that no longer count.
    pub revocations: Arc<Revocations>,
    /// The clock by which certificates end.
    pub world: Arc<dyn World>,
    /// Longest time until an answer begins; uploads have times of their own.
    pub call: Duration,
}

/// A call that may go on.
struct Passed<'a> {
    route: &'a dyn Route,
    span: tracing::Span,
    /// `None` for an upload.
    deadline: Option<Duration>,
}

impl Gate {
    /// Joins its parts.
    pub fn new(parts: GateParts) -> Self {
        Self(Arc::new(parts))
    }

    /// How to call the service, or why not.
    fn pass(&self, request: &Request) -> Result<Passed<'_>, Status> {
        let peer = request
            .extensions()
            .get::<Peer>()
            .ok_or_else(|| fault(Reason::CertificateMissing))?;
        if self.0.revocations.contains(&peer.serial) {
            return Err(fault(Reason::CertificateRevoked));
        }
        if peer.has_ended(self.0.world.now().utc) {
            return Err(fault(Reason::CertificateExpired));
        }
        let path = request.uri().path();
        let known = rules::known_path(path).filter(|path| rules::allowed(path, &peer.caller));
        let Some(path) = known else {
            tracing::info!(connection = %peer.connection, caller = %peer.caller, "call not allowed");
            return Err(fault(Reason::RpcNotAllowed));
        };
        let service = path.trim_start_matches('/').split('/').next();
        let route = service
            .and_then(|name| self.0.routes.services.get(name))
            .ok_or_else(|| Status::unimplemented("this server does not serve it"))?;
        let (caller, connection) = (&peer.caller, peer.connection);
        let span = tracing::info_span!("rpc.call", path, %caller, %connection);
        Ok(Passed {
            route: &**route,
            span,
            deadline: (!rules::is_upload(path)).then_some(self.0.call),
        })
    }
}

impl Service<Request> for Gate {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.pass(&request) {
            Ok(passed) => {
                let answer = passed.route.call(request);
                match passed.deadline {
                    Some(limit) => Box::pin(within(limit, answer).instrument(passed.span)),
                    None => Box::pin(answer.instrument(passed.span)),
                }
            }
            Err(status) => Box::pin(ready(Ok(status.into_http()))),
        }
    }
}

/// Waits for an answer to begin, so long and no longer.
///
/// What was asked for may have been done all the same. The status says so by carrying no reason:
/// to its caller it is as if the answer had been lost on the way.
async fn within(
    limit: Duration,
    answer: BoxFuture<Response, Infallible>,
) -> Result<Response, Infallible> {
    timeout(limit, answer).await.unwrap_or_else(|_| {
        tracing::warn!("a call took too long and was given up");
        Ok(Status::deadline_exceeded("the call took too long").into_http())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::service::auth::{CertificateSerial, ConnectionId};
    use crate::types::{Caller, CallerKind, Moment, Now, UtcTime};

    /// Last second of the certificate of whoever calls here.
    const LAST_SECOND: i64 = 1_000;
    const CALL: Duration = Duration::from_millis(20);
    const CHECK: &str = "/grpc.health.v1.Health/Check";

    /// Answers every call with status OK, if it can see who calls.
    #[derive(Clone)]
    struct Yes;

    impl NamedService for Yes {
        const NAME: &'static str = "grpc.health.v1.Health";
    }

    impl Service<Request> for Yes {
        type Response = Response;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request) -> Self::Future {
            let seen = request.extensions().get::<Peer>().is_some();
            let answer = if seen {
                Status::ok("")
            } else {
                Status::internal("")
            };
            ready(Ok(answer.into_http()))
        }
    }

    /// Answers no call.
    #[derive(Clone)]
    struct Never;

    impl NamedService for Never {
        const NAME: &'static str = "sluss.v1.DirectoryService";
    }

    impl Service<Request> for Never {
        type Response = Response;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request) -> Self::Future {
            std::future::pending()
        }
    }

    /// Answers after five times as long as a call may take.
    #[derive(Clone)]
    struct Late;

    impl NamedService for Late {
        const NAME: &'static str = "sluss.v1.SiteService";
    }

    impl Service<Request> for Late {
        type Response = Response;
        type Error = Infallible;
        type Future = BoxFuture<Response, Infallible>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request) -> Self::Future {
            Box::pin(async {
                let never = std::future::pending::<()>();
                let _late = timeout(CALL * 5, never).await;
                Ok(Status::ok("").into_http())
            })
        }
    }

    fn peer(kind: CallerKind) -> Peer {
        Peer {
            caller: Caller::parse(kind, "a").unwrap(),
            serial: CertificateSerial::parse("0a").unwrap(),
            not_after: UtcTime::from_unix(LAST_SECOND).unwrap(),
            connection: ConnectionId(1),
        }
    }

    /// A clock that stands still.
    #[derive(Debug)]
    struct At(i64);

    impl World for At {
        fn now(&self) -> Now {
            Now {
                utc: UtcTime::from_unix(self.0).unwrap(),
                moment: Moment::from_start(Duration::ZERO),
            }
        }

        fn fill_random(&self, _: &mut [u8]) {}
    }

    fn gate_at(seconds: i64) -> Gate {
        Gate::new(GateParts {
            routes: Routes::default().with(Yes).with(Never).with(Late),
            revocations: Arc::default(),
            world: Arc::new(At(seconds)),
            call: CALL,
        })
    }

    fn gate() -> Gate {
        gate_at(LAST_SECOND)
    }

    async fn call(gate: &Gate, path: &str, peer: Option<Peer>) -> Status {
        let mut request = Request::new(Body::default());
        *request.uri_mut() = path.parse().unwrap();
        request.extensions_mut().extend(
            peer.map(|peer| {
                let mut extensions = http::Extensions::new();
                extensions.insert(peer);
                extensions
            })
            .unwrap_or_default(),
        );
        let response = gate.clone().call(request).await.unwrap();
        Status::from_header_map(response.headers()).unwrap()
    }

    fn reason(status: &Status) -> String {
        status
            .get_details_error_info()
            .map(|info| info.reason)
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn an_allowed_call_reaches_its_service_with_its_peer() {
        let status = call(&gate(), CHECK, Some(peer(CallerKind::Desk))).await;
        assert_eq!(status.code(), Code::Ok);
    }

    #[tokio::test]
    async fn what_no_rule_allows_is_refused() {
        for path in [
            "/grpc.health.v1.Health/Nothing",
            "/sluss.v1.SiteService/ApplySite",
            "/",
        ] {
            let status = call(&gate(), path, Some(peer(CallerKind::Controller))).await;
            assert_eq!(status.code(), Code::PermissionDenied, "{path}");
            assert_eq!(reason(&status), "RPC_NOT_ALLOWED");
        }
    }

    #[tokio::test]
    async fn a_call_that_names_nobody_is_refused() {
        let status = call(&gate(), CHECK, None).await;
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(reason(&status), "CERTIFICATE_MISSING");
    }

    #[tokio::test]
    async fn a_revoked_certificate_is_refused_at_the_next_call() {
        let gate = gate();
        let desk = peer(CallerKind::Desk);
        gate.0
            .revocations
            .replace(BTreeSet::from([desk.serial.clone()]));
        let status = call(&gate, CHECK, Some(desk)).await;
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(reason(&status), "CERTIFICATE_REVOKED");
    }

    #[tokio::test]
    async fn invariant_10_an_ended_certificate_is_refused_at_the_next_call() {
        let last = call(&gate_at(LAST_SECOND), CHECK, Some(peer(CallerKind::Desk))).await;
        assert_eq!(last.code(), Code::Ok, "its last second still counts");
        let gate = gate_at(LAST_SECOND + 1);
        let status = call(&gate, CHECK, Some(peer(CallerKind::Desk))).await;
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(reason(&status), "CERTIFICATE_EXPIRED");
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_given_up() {
        let operator = || Some(peer(CallerKind::Operator));
        let status = call(&gate(), "/sluss.v1.DirectoryService/GetSite", operator()).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(reason(&status), "", "nobody knows what it did");
        let status = call(&gate(), "/sluss.v1.SiteService/PlanSite", operator()).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn an_upload_may_take_longer_than_a_call() {
        let operator = Some(peer(CallerKind::Operator));
        let status = call(&gate(), "/sluss.v1.SiteService/UploadSite", operator).await;
        assert_eq!(status.code(), Code::Ok);
    }
}
