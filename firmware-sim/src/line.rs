//! The line to the server: mutual TLS, a deadline on each try, the same request again.

use std::fmt;
use std::time::Duration;

use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Response, Status, Streaming};

use crate::CallError;
use crate::pb::door_service_client::DoorServiceClient;
use crate::pb::{
    AuthorizeRequest, AuthorizeResponse, ReportDoorEventsRequest, ReportDoorEventsResponse,
    SessionRequest, SessionResponse,
};

/// How long one try may take: somebody stands at the door.
pub const DEADLINE: Duration = Duration::from_millis(500);
/// How often one request is sent at most.
pub const TRIES_MAX: usize = 3;
/// Pause before each try; a reconnect needs a moment, the person does not wait for more.
const PAUSES: [Duration; TRIES_MAX] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(100),
];
/// How long a TCP connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A line that says nothing is asked after this long whether it still lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A line that does not answer that for this long is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer taken; one acknowledgement of 200 is about 60 bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where the server is and who this controller is.
#[derive(Clone)]
pub struct ControllerSettings {
    /// Address, `https://HOST:PORT`.
    pub endpoint: String,
    /// The name in the server's certificate.
    pub server_name: String,
    /// The site's certificate authority, PEM.
    pub ca_pem: String,
    /// This controller's certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
}

impl fmt::Debug for ControllerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControllerSettings")
            .field("endpoint", &self.endpoint)
            .field("server_name", &self.server_name)
            .field("key_pem", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl ControllerSettings {
    fn endpoint(&self) -> Result<Endpoint, CallError> {
        let tls = ClientTlsConfig::new()
            .domain_name(self.server_name.clone())
            .ca_certificate(Certificate::from_pem(&self.ca_pem))
            .identity(Identity::from_pem(&self.certificate_pem, &self.key_pem));
        Endpoint::from_shared(self.endpoint.clone())
            .and_then(|e| e.tls_config(tls))
            .map(|e| {
                e.connect_timeout(CONNECT_TIMEOUT)
                    .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
                    .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                    .tcp_nodelay(true)
            })
            .map_err(|e| CallError::Settings(chain(&e)))
    }
}

/// A connection that is made again when it breaks. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    client: DoorServiceClient<Channel>,
}

impl Line {
    /// Connects now.
    pub(crate) async fn connect(settings: &ControllerSettings) -> Result<Self, CallError> {
        let connecting = settings.endpoint()?;
        let channel = tokio::time::timeout(DEADLINE * 2, connecting.connect())
            .await
            .map_err(|_| CallError::NoAnswer)?
            .map_err(|e| CallError::Settings(chain(&e)))?;
        Ok(Self::over(channel))
    }

    /// Connects with the first call.
    pub(crate) fn lazy(settings: &ControllerSettings) -> Result<Self, CallError> {
        Ok(Self::over(settings.endpoint()?.connect_lazy()))
    }

    fn over(channel: Channel) -> Self {
        Self {
            client: DoorServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX),
        }
    }

    pub(crate) async fn authorize(
        &self,
        request: &AuthorizeRequest,
    ) -> Result<AuthorizeResponse, CallError> {
        insist(|| {
            let mut client = self.client.clone();
            let request = request.clone();
            async move { client.authorize(request).await }
        })
        .await
    }

    pub(crate) async fn report(
        &self,
        request: &ReportDoorEventsRequest,
    ) -> Result<ReportDoorEventsResponse, CallError> {
        insist(|| {
            let mut client = self.client.clone();
            let request = request.clone();
            async move { client.report_door_events(request).await }
        })
        .await
    }

    /// Opens a session. There is no deadline: it is meant to stay open.
    pub(crate) async fn session(
        &self,
        said: ReceiverStream<SessionRequest>,
    ) -> Result<Streaming<SessionResponse>, CallError> {
        let opened = self.client.clone().session(said).await;
        opened
            .map(Response::into_inner)
            .map_err(|status| CallError::from_status(&status))
    }
}

/// Sends the same request until an answer comes, at most [`TRIES_MAX`] times.
async fn insist<T, F, A>(mut once: F) -> Result<T, CallError>
where
    F: FnMut() -> A,
    A: Future<Output = Result<Response<T>, Status>>,
{
    let mut fault = CallError::NoAnswer;
    for pause in PAUSES {
        // A timer of nothing still waits for the next tick, a millisecond.
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        fault = match tokio::time::timeout(DEADLINE, once()).await {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => CallError::from_status(&status),
            Err(_) => CallError::NoAnswer,
        };
        if !fault.may_pass() {
            break;
        }
    }
    Err(fault)
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
