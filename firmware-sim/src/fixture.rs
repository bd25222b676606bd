//! A server of the door service for the tests: mutual TLS, a script of answers, all requests kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::sync::{mpsc, oneshot};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::ControllerSettings;
use crate::pb::door_service_server::{DoorService, DoorServiceServer};
use crate::pb::{
    AuthorizeRequest, AuthorizeResponse, Decision, DoorEventAcknowledgement,
    ReportDoorEventsRequest, ReportDoorEventsResponse, SessionRequest, SessionResponse,
    SessionWelcome, session_request, session_response,
};

/// What the server does with an attempt.
pub(crate) enum Reply {
    Answer(AuthorizeResponse),
    Status(Status),
    Silence,
}

/// What it was asked, and what it will do; a grant where the script has ended.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) replies: VecDeque<Reply>,
    pub(crate) attempts: Vec<AuthorizeRequest>,
    pub(crate) reports: Vec<ReportDoorEventsRequest>,
    pub(crate) is_away: bool,
    /// Sessions that a test waits for.
    pub(crate) awaited: VecDeque<oneshot::Sender<SessionLine>>,
}

/// The server's end of a session, as a test holds it.
pub(crate) struct SessionLine {
    told: mpsc::Sender<Result<SessionResponse, Status>>,
    said: Streaming<SessionRequest>,
}

impl SessionLine {
    pub(crate) async fn tell(&self, message: session_response::Message) {
        let message = Some(message);
        self.told
            .send(Ok(SessionResponse { message }))
            .await
            .unwrap();
    }

    pub(crate) async fn hears(&mut self) -> session_request::Message {
        self.said.message().await.unwrap().unwrap().message.unwrap()
    }

    /// Whether the device ends its side in order.
    pub(crate) async fn goodbye(mut self) -> bool {
        loop {
            match self.said.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    pub(crate) async fn end(self, status: Status) {
        self.told.send(Err(status)).await.unwrap();
    }
}

#[derive(Clone, Default)]
pub(crate) struct Desk(pub(crate) Arc<Mutex<Script>>);

impl Desk {
    /// Waits for the next session, and greets on it with a beat interval of 20 ms.
    pub(crate) async fn session(&self) -> SessionLine {
        let (sender, line) = oneshot::channel();
        self.script().awaited.push_back(sender);
        let mut line = line.await.unwrap();
        let hello = line.hears().await;
        assert!(matches!(hello, session_request::Message::Hello(h) if h.boot_id == "boot-1"));
        let beat_interval = prost_types::Duration::try_from(Duration::from_millis(20)).ok();
        let welcome = SessionWelcome { beat_interval };
        line.tell(session_response::Message::Welcome(welcome)).await;
        line
    }

    pub(crate) fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
}

pub(crate) fn grant(entry: &str) -> AuthorizeResponse {
    AuthorizeResponse {
        decision: Decision::Grant.into(),
        entry: entry.to_owned(),
        verified: vec![1],
        valid_for: Some(prost_types::Duration {
            seconds: 2,
            nanos: 0,
        }),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl DoorService for Desk {
    type SessionStream = ReceiverStream<Result<SessionResponse, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (told, stream) = mpsc::channel(8);
        let said = request.into_inner();
        let awaited = self.script().awaited.pop_front();
        let awaited = awaited.ok_or_else(|| Status::unimplemented("no session is awaited"))?;
        let _ = awaited.send(SessionLine { told, said });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let reply = {
            let mut script = self.script();
            let entry = format!("journal/s/1/{}", request.get_ref().counter);
            script.attempts.push(request.into_inner());
            if script.is_away {
                Reply::Status(Status::unavailable("away"))
            } else {
                let next = script.replies.pop_front();
                next.unwrap_or_else(|| Reply::Answer(grant(&entry)))
            }
        };
        match reply {
            Reply::Answer(answer) => Ok(Response::new(answer)),
            Reply::Status(status) => Err(status),
            Reply::Silence => std::future::pending().await,
        }
    }

    async fn report_door_events(
        &self,
        request: Request<ReportDoorEventsRequest>,
    ) -> Result<Response<ReportDoorEventsResponse>, Status> {
        let mut script = self.script();
        if script.is_away {
            return Err(Status::unavailable("away"));
        }
        script.reports.push(request.get_ref().clone());
        let known = |e: &crate::pb::DoorEvent| DoorEventAcknowledgement {
            counter: e.counter,
            entry: format!("journal/s/1/{}", e.counter),
            already_known: false,
        };
        Ok(Response::new(ReportDoorEventsResponse {
            acknowledgements: request.get_ref().events.iter().map(known).collect(),
        }))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

fn certificate(name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) -> (String, String) {
    let key = key();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Serves over mutual TLS on a free port until the runtime ends.
pub(crate) fn serve() -> (Desk, ControllerSettings) {
    let authority = authority();
    let (server_pem, server_key) = certificate("door.test", &authority);
    let (certificate_pem, key_pem) = certificate("controller.test", &authority);
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(server_pem, server_key))
        .client_ca_root(Certificate::from_pem(authority.pem()));
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("https://{}", incoming.local_addr().unwrap());
    let desk = Desk::default();
    let server = Server::builder()
        .tls_config(tls)
        .unwrap()
        .add_service(DoorServiceServer::new(desk.clone()))
        .serve_with_incoming(incoming);
    tokio::spawn(async move { server.await.unwrap() });
    let settings = ControllerSettings {
        endpoint,
        server_name: "door.test".to_owned(),
        ca_pem: authority.pem(),
        certificate_pem,
        key_pem,
    };
    (desk, settings)
}
