use bson::raw::RawDocumentBuf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::config::settings::UpstreamAddress;
use crate::error::CommandError;
use crate::names::HostAndPort;
use crate::net::stream::{Stream, Transport};
use crate::upstream::connection::Connection;
use crate::upstream::login::Login;
use crate::wire::message;

/// What the upstream does with a connection.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// It answers everything.
    Answer,
    /// It answers so many commands and this code to the next.
    Fail(usize, i32),
    /// It accepts and closes.
    Close,
}

/// An upstream that does with each connection what the next item says, and then refuses.
struct FakeUpstream {
    listener: Option<TcpListener>,
    connector: Arc<Connector>,
}

impl FakeUpstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = HostAndPort { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let connector = Connector::new(UpstreamAddress::Tcp(address), 10_000, None, Arc::new(Login::None));
        Self { listener: Some(listener), connector: Arc::new(connector) }
    }

    fn connector(&self) -> impl Fn() -> Arc<Connector> + use<> {
        let connector = Arc::clone(&self.connector);
        move || Arc::clone(&connector)
    }

    async fn accept(&self) -> TcpStream {
        self.listener.as_ref().unwrap().accept().await.unwrap().0
    }

    async fn serve(mut self, doings: &[Does]) {
        for doing in doings {
            let stream = self.accept().await;
            match doing {
                Does::Answer => answer(stream, usize::MAX, 0).await,
                Does::Fail(answered, code) => answer(stream, *answered, *code).await,
                Does::Close => drop(stream),
            }
        }
        self.listener = None;
        std::future::pending().await
    }
}

/// Answers `answered` commands, then one with `code`, until the other side leaves.
async fn answer(stream: TcpStream, answered: usize, code: i32) {
    let mut connection = Connection::new(Stream::Plain(Transport::Tcp(stream)));
    for number in 0.. {
        let Ok(_request) = connection.channel.fill().await.map(|read| assert_ne!(read, 0)) else { return };
        let waiting = connection.channel.incoming.len();
        connection.channel.incoming.consume(waiting);
        let body = if number < answered { ok() } else { CommandError::new(ErrorCode::Location(code), "no").to_reply() };
        connection.channel.write(&message::op_msg(1, 0, &body)).await.unwrap();
        if number >= answered || number == 1 {
            return;
        }
    }
}

fn ok() -> RawDocumentBuf {
    bson::rawdoc! { "ok": 1.0 }
}

/// Raises `count` doubts and lets each get as far as its wait.
async fn raise(suspicions: &Arc<Suspicions>, count: usize) -> JoinSet<()> {
    let mut waits = JoinSet::new();
    for _ in 0..count {
        let suspicions = Arc::clone(suspicions);
        waits.spawn(async move { suspicions.raise().await });
    }
    while suspicions.settled.receiver_count() < count {
        tokio::task::yield_now().await;
    }
    waits
}

#[tokio::test]
async fn whether_the_upstream_is_lost_depends_on_what_a_fresh_connection_meets() {
    let cases: &[(&[Does], bool)] = &[
        (&[Does::Answer], false),
        (&[], true),
        // A server that shuts down.
        (&[Does::Fail(0, 91)], true),
        (&[Does::Fail(0, 11600)], true),
        (&[Does::Fail(1, 11600)], true),
        // One that refuses doorward has not gone.
        (&[Does::Fail(0, 18)], false),
        // One that is full, or about to go.
        (&[Does::Close, Does::Close, Does::Answer], false),
        (&[Does::Close, Does::Close], true),
    ];
    for (doings, lost) in cases {
        let suspicions = Arc::new(Suspicions::default());
        let mut waits = raise(&suspicions, 1).await;
        let mut upstream = FakeUpstream::start().await;
        let connector = upstream.connector();
        if doings.is_empty() {
            upstream.listener = None;
        }
        let found_lost = tokio::select! {
            _ = check_when_raised(connector, &suspicions) => true,
            () = async { waits.join_next().await.unwrap().unwrap() } => false,
            () = upstream.serve(doings), if !doings.is_empty() => unreachable!(),
        };
        assert_eq!(found_lost, *lost, "{doings:?}");
    }
}

#[tokio::test]
async fn one_check_answers_everybody_who_asked_before_it_began() {
    let suspicions = Arc::new(Suspicions::default());
    let mut waits = raise(&suspicions, 1000).await;
    let upstream = FakeUpstream::start().await;
    // A second connection would be refused, and the upstream held for lost.
    tokio::select! {
        error = check_when_raised(upstream.connector(), &suspicions) => panic!("a second check: {error}"),
        () = async { while waits.join_next().await.is_some() {} } => {}
        () = upstream.serve(&[Does::Answer]) => {}
    }
    assert!(waits.is_empty());
}

#[tokio::test]
async fn who_asks_while_a_check_runs_gets_one_that_begins_later() {
    let suspicions = Arc::new(Suspicions::default());
    let mut early = raise(&suspicions, 1).await;
    let upstream = FakeUpstream::start().await;
    let connector = upstream.connector();
    let scene = async {
        let first = upstream.accept().await;
        let late = suspicions.raise();
        let served = async {
            // The late doubt is raised by now: both are polled in their order here.
            answer(first, usize::MAX, 0).await;
            early.join_next().await.unwrap().unwrap();
            let second = upstream.accept().await;
            answer(second, usize::MAX, 0).await;
        };
        tokio::pin!(late);
        tokio::select! {
            biased;
            () = &mut late => panic!("answered by the check that was under way"),
            () = served => {}
        }
        late.await;
    };
    tokio::select! {
        error = check_when_raised(connector, &suspicions) => panic!("{error}"),
        () = scene => {}
    }
}

#[tokio::test]
async fn a_loss_that_the_monitor_saw_itself_answers_everybody() {
    let suspicions = Arc::new(Suspicions::default());
    let mut waits = raise(&suspicions, 3).await;
    suspicions.settle_all();
    while let Some(wait) = waits.join_next().await {
        wait.unwrap();
    }
}
