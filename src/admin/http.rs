//! The admin port: `/metrics`, `/healthz`, `/livez`, `/readyz` and `/api/readiness`. Plain HTTP, meant for the loopback or a private
//! network.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::readiness::RolesError;

/// How long a request's head may take: nobody keeps doorward's file descriptors by saying nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the admin port has to know of the server.
pub trait Subject: Send + Sync + 'static {
    /// Everything that is counted, as Prometheus text.
    fn metrics(&self) -> String;
    /// `Ok` when clients can be served, else what is missing.
    fn ready(&self) -> Result<(), String>;
    /// Who would break if authentication were enforced now, as JSON; with `last_seconds` only so many count.
    fn readiness(&self, last_seconds: Option<u32>) -> String;
    /// The roles that one application needs, as JSON.
    fn roles(&self, application: &str) -> impl Future<Output = Result<String, RolesError>> + Send;
}

/// Binds the admin port.
///
/// # Errors
/// The address can not be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the admin port for ever.
pub async fn serve<S: Subject>(listener: TcpListener, subject: Arc<S>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let subject = Arc::clone(&subject);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let subject = Arc::clone(&subject);
                async move { Ok::<_, Infallible>(answer(request.method(), request.uri(), &*subject).await) }
            });
            let mut connection = hyper::server::conn::http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer<S: Subject>(method: &Method, uri: &Uri, subject: &S) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
    }
    match uri.path() {
        "/metrics" => text(StatusCode::OK, subject.metrics()),
        "/healthz" | "/livez" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match subject.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        "/api/readiness" => match parameter(uri.query().unwrap_or_default(), "last").map(|last| last.parse()).transpose() {
            Ok(last_seconds) => json(StatusCode::OK, subject.readiness(last_seconds)),
            Err(_) => text(StatusCode::BAD_REQUEST, "?last=SECONDS is no number\n".into()),
        },
        "/api/readiness/roles" => match parameter(uri.query().unwrap_or_default(), "application") {
            None => text(StatusCode::BAD_REQUEST, "?application=NAME is missing\n".into()),
            Some(application) => match subject.roles(&application).await {
                Ok(roles) => json(StatusCode::OK, roles),
                Err(error @ RolesError::UnknownApplication) => text(StatusCode::NOT_FOUND, format!("{error}\n")),
                Err(error @ RolesError::Upstream(_)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
            },
        },
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz, /livez, /readyz and /api/readiness\n".into()),
    }
}

/// A parameter of a query, decoded; `None` when it is not there or no UTF-8.
fn parameter(query: &str, name: &str) -> Option<String> {
    let (_, value) = query.split('&').filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = text(status, body);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Down;

    impl Subject for Down {
        fn metrics(&self) -> String {
            "doorward_upstream_up 0\n".into()
        }

        fn ready(&self) -> Result<(), String> {
            Err("the upstream is not reachable".into())
        }

        fn readiness(&self, _last_seconds: Option<u32>) -> String {
            "{}".into()
        }

        async fn roles(&self, application: &str) -> Result<String, RolesError> {
            match application {
                "the shop" => Ok("{}".into()),
                "nobody" => Err(RolesError::UnknownApplication),
                other => Err(RolesError::Upstream(other.to_owned())),
            }
        }
    }

    async fn status(method: Method, path: &str) -> u16 {
        answer(&method, &path.parse().unwrap(), &Down).await.status().as_u16()
    }

    #[tokio::test]
    async fn a_living_doorward_without_its_upstream_is_healthy_and_not_ready() {
        for (path, expected) in [("/healthz", 200), ("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/etc/passwd", 404)] {
            assert_eq!(status(Method::GET, path).await, expected, "{path}");
        }
        assert_eq!(status(Method::POST, "/metrics").await, 405);
    }

    #[tokio::test]
    async fn the_roles_of_an_application_are_asked_for_by_its_name() {
        let cases = [
            ("", 400),
            ("?application=the%20shop", 200),
            ("?a=b&application=the+shop", 200),
            ("?application=nobody", 404),
            ("?application=", 503),
            ("?application=%ff", 400),
            ("?application=%4", 400),
        ];
        for (query, expected) in cases {
            assert_eq!(status(Method::GET, &format!("/api/readiness/roles{query}")).await, expected, "{query}");
        }
        for (query, expected) in [("", 200), ("?last=86400", 200), ("?last=", 400), ("?last=-1", 400), ("?last=1h", 400)] {
            assert_eq!(status(Method::GET, &format!("/api/readiness{query}")).await, expected, "{query}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_never_finished_is_cut_off() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Down)));
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /met").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE * 3, client.read_to_end(&mut rest)).await;
        server.abort();
        assert!(ended.is_ok());
    }
}
