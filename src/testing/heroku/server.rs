//! The simulator's own thread: it builds the app, serves both APIs and the controls, and cleans up
//! at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::app::App;
use super::connection::{Breakable, Connection};
use super::database::{is_postgres_url, made_up_url};
use super::postgres::Server;
use super::problem::Problem;
use super::shared::Shared;
use super::{Options, control, data, gate, platform};

/// How long removing roles and databases may take at the end.
const CLEAN_UP_TIME: Duration = Duration::from_secs(10);

/// A started server.
pub(super) struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    pub(super) runtime: Handle,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) thread: JoinHandle<()>,
}

/// Listens, then starts the thread and waits until it serves.
pub(super) fn start(options: Options) -> io::Result<Running> {
    if !options.listen.ip().is_loopback() {
        let why = format!(
            "the simulator listens on loopback addresses only, not on {}",
            options.listen.ip()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let listener = std::net::TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let (started, ready) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("heroku-simulator".to_owned())
        .spawn(move || serve(listener, &options, &started, stopped))?;
    let gone = |_| io::Error::other("the simulator's thread ended");
    let (shared, runtime) = ready.recv().map_err(gone)??;
    Ok(Running {
        shared,
        address,
        runtime,
        stop,
        thread,
    })
}

type Started = io::Result<(Arc<Shared>, Handle)>;

fn serve(
    listener: std::net::TcpListener,
    options: &Options,
    started: &mpsc::Sender<Started>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let shared = Arc::new(prepare(options).await?);
            // The starter waits for this.
            let _ = started.send(Ok((Arc::clone(&shared), Handle::current())));
            let app = router(&shared).into_make_service_with_connect_info::<Connection>();
            tokio::select! {
                served = axum::serve(Breakable(listener), app).into_future() => served?,
                _ = stopped => {}
            }
            if let Some(server) = &shared.postgres {
                let _ = tokio::time::timeout(CLEAN_UP_TIME, server.clean_up()).await;
            }
            Ok(())
        })
    });
    if let Err(error) = served {
        let _ = started.send(Err(error));
    }
}

fn router(shared: &Arc<Shared>) -> Router {
    let apis = platform::routes()
        .merge(data::routes())
        .fallback(|| async { Problem::no_such_endpoint().into_response() })
        .layer(from_fn_with_state(Arc::clone(shared), gate::gate));
    control::routes().merge(apis).with_state(Arc::clone(shared))
}

/// The app, on a real server when there is one.
async fn prepare(options: &Options) -> io::Result<Shared> {
    let server = match &options.postgres {
        Some(url) => Some(Server::connect(url).await?),
        None => None,
    };
    let prepared = create(options, server.as_ref()).await;
    if let (Err(_), Some(server)) = (&prepared, &server) {
        let _ = server.clean_up().await;
    }
    Ok(Shared::new(prepared?, &options.token, server))
}

async fn create(options: &Options, server: Option<&Server>) -> io::Result<App> {
    let given = |key: &str| {
        let mut pairs = options.config.iter().filter(|(name, _)| name == key);
        pairs
            .next_back()
            .map(|(_, value)| value.clone())
            .filter(|url| is_postgres_url(url))
    };
    let mut urls = Vec::with_capacity(2);
    for (number, key) in (1..).zip(["DATABASE_URL", "HEROKU_POSTGRESQL_COBALT_URL"]) {
        urls.push(match (given(key), server) {
            (Some(url), _) => url,
            (None, Some(server)) => server.create_database().await?,
            (None, None) => made_up_url(number),
        });
    }
    let (first, second) = (urls.swap_remove(0), urls.swap_remove(0));
    let reader = match server {
        Some(server) => server.create_reader(&first).await?,
        None => made_up_url(1),
    };
    Ok(App::new(
        &options.app,
        [first, second],
        reader,
        &options.config,
    ))
}
