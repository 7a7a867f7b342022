//! The admin port: `/metrics`, `/healthz`, `/livez` and `/readyz`. Plain HTTP, meant for the loopback or a private network.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// How long a request's head may take: nobody keeps doorward's file descriptors by saying nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the admin port has to know of the server.
pub trait Subject: Send + Sync + 'static {
    /// Everything that is counted, as Prometheus text.
    fn metrics(&self) -> String;
    /// `Ok` when clients can be served, else what is missing.
    fn ready(&self) -> Result<(), String>;
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
                let response = answer(request.method(), request.uri().path(), &*subject);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut connection = hyper::server::conn::http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(method: &Method, path: &str, subject: &dyn Subject) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
    }
    match path {
        "/metrics" => text(StatusCode::OK, subject.metrics()),
        "/healthz" | "/livez" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match subject.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz, /livez and /readyz\n".into()),
    }
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
    }

    #[test]
    fn a_living_doorward_without_its_upstream_is_healthy_and_not_ready() {
        for (path, expected) in [("/healthz", 200), ("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/etc/passwd", 404)] {
            assert_eq!(answer(&Method::GET, path, &Down).status(), expected, "{path}");
        }
        assert_eq!(answer(&Method::POST, "/metrics", &Down).status(), 405);
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
