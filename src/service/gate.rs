//! The one way to the services: checks the certificate and the rules of every call, then routes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tracing::Instrument as _;

use super::auth::{Peer, Revocations};
use super::rules;
use super::status::{Reason, fault};

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
pub struct Gate {
    routes: Arc<Routes>,
    revocations: Arc<Revocations>,
}

impl Gate {
    /// In front of these services.
    pub fn new(routes: Routes, revocations: Arc<Revocations>) -> Self {
        Self {
            routes: Arc::new(routes),
            revocations,
        }
    }

    /// The service and the path to call, or why not.
    fn pass(&self, request: &Request) -> Result<(&dyn Route, tracing::Span), Status> {
        let peer = request
            .extensions()
            .get::<Peer>()
            .ok_or_else(|| fault(Reason::CertificateMissing))?;
        if self.revocations.contains(&peer.serial) {
            return Err(fault(Reason::CertificateRevoked));
        }
        let path = request.uri().path();
        let known = rules::known_path(path).filter(|path| rules::allowed(path, &peer.caller));
        let Some(path) = known else {
            tracing::info!(connection = %peer.connection, caller = %peer.caller, "call not allowed");
            return Err(fault(Reason::RpcNotAllowed));
        };
        let service = path.trim_start_matches('/').split('/').next();
        let route = service
            .and_then(|name| self.routes.services.get(name))
            .ok_or_else(|| Status::unimplemented("this server does not serve it"))?;
        let (caller, connection) = (&peer.caller, peer.connection);
        let span = tracing::info_span!("rpc.call", path, %caller, %connection);
        Ok((&**route, span))
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
            Ok((route, span)) => Box::pin(route.call(request).instrument(span)),
            Err(status) => Box::pin(ready(Ok(status.into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::service::auth::{CertificateSerial, ConnectionId};
    use crate::types::{Caller, CallerKind};

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

    fn peer(kind: CallerKind) -> Peer {
        Peer {
            caller: Caller::parse(kind, "a").unwrap(),
            serial: CertificateSerial::parse("0a").unwrap(),
            connection: ConnectionId(1),
        }
    }

    fn gate() -> Gate {
        Gate::new(Routes::default().with(Yes), Arc::default())
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
        gate.revocations
            .replace(BTreeSet::from([desk.serial.clone()]));
        let status = call(&gate, CHECK, Some(desk)).await;
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(reason(&status), "CERTIFICATE_REVOKED");
    }
}
