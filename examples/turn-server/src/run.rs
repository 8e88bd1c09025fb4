//! From options to a server that runs until a signal ends it.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::pin;
use std::{fs, io};

use pinhole_relay::{
    Config, ConfigError, FileError, Health, LogFormat, Server, Settings, StartError, TlsError,
    raise_descriptor_limit,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{debug, error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::arguments::Options;
use crate::welcome;

/// Why there is no server.
pub(crate) enum Error {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file is wrong.
    File(PathBuf, FileError),
    /// The configuration is.
    Config(ConfigError),
    /// The certificate or its key is.
    Certificate(TlsError),
    /// The server does not start.
    Start(StartError),
    /// The system lacks something.
    System(io::Error),
    /// What was asked for cannot be printed.
    Output(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{}: {error}", path.display()),
            Self::File(path, error) => {
                write!(f, "{}:{}:{}: {}", path.display(), error.line, error.column, error.message)
            }
            Self::Config(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::Output(error) => write!(f, "standard output: {error}"),
        }
    }
}

/// The configuration that the file and the flags make.
pub(crate) fn configure(options: &Options) -> Result<Config, Error> {
    let Some(path) = &options.config else {
        return options.settings().resolve().map_err(Error::Config);
    };
    let text = fs::read_to_string(path).map_err(|error| Error::Read(path.clone(), error))?;
    let file = Settings::from_toml(&text).map_err(|error| Error::File(path.clone(), error))?;
    options.settings().or(file.clone()).resolve().map_err(|error| {
        // What the file says without the flags is wrong at a place.
        let is_the_files = file.resolve().is_err_and(|of_file| of_file == error);
        match error.in_file(&text).filter(|_| is_the_files) {
            Some(error) => Error::File(path.clone(), error),
            None => Error::Config(error),
        }
    })
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again, SIGUSR1 ends the intake.
pub(crate) fn serve(mut config: Config, options: &Options) -> Result<(), Error> {
    log(config.log);
    let descriptors = raise_descriptor_limit().map_err(Error::System)?;
    if descriptors < u64::from(config.limits.allocations) {
        debug!(descriptors, "the system's limit comes before the configured number of allocations");
    }
    let made = welcome::secret(&mut config).map_err(Error::System)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::System)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::System)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(Error::System)?;
        let mut drain = signal(SignalKind::user_defined1()).map_err(Error::System)?;
        let server = Server::start(&config).map_err(Error::Start)?;
        let health = health(&config, &server).await?;
        welcome::print(&config, &server, made);
        let mut health = pin!(health);
        let mut alternate = config.alternate.clone();
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                never = &mut health => match never {},
                _ = hangup.recv() => {
                    let new = reload(&server, options, made, &config);
                    alternate = new.map_or(alternate, |new| new.alternate);
                }
                _ = drain.recv() => {
                    server.drain(alternate.as_ref());
                    info!(allocations = server.metrics().allocations(), "no new allocations");
                }
            }
        }
        server.stop().map_err(Error::System)
    })
}

/// Answers about metrics and health, if that is configured; never ends.
async fn health(
    config: &Config,
    server: &Server,
) -> Result<impl Future<Output = Infallible> + use<>, Error> {
    let mut health = None;
    if let Some(address) = config.metrics {
        let cannot = |error| Error::Start(StartError::Listen(address, error));
        let bound = Health::bind(address, server.metrics().clone()).await.map_err(cannot)?;
        let address = bound.local_addr().map_err(cannot)?;
        welcome::say(&format_args!("turn-server: metrics at http://{address}/metrics"));
        health = Some(bound);
    }
    Ok(async {
        match health {
            Some(health) => health.serve().await,
            None => pending().await,
        }
    })
}

/// Takes over what can change while the server runs, and tells what cannot; a configuration with an error changes
/// nothing.
fn reload(server: &Server, options: &Options, made: bool, started: &Config) -> Option<Config> {
    let mut new = match configure(options) {
        Ok(new) => new,
        Err(error) => {
            error!(%error, "the configuration is not reloaded");
            return None;
        }
    };
    if made {
        new.secrets.clone_from(&started.secrets);
    }
    if let Err(error) = server.reload(&new) {
        error!(%error, "the certificate is not reloaded");
        return None;
    }
    info!("users, secrets and certificates are reloaded");
    let waiting = started.waiting(&new);
    if !waiting.is_empty() {
        warn!("what has changed here takes a new start: {}", waiting.join(", "));
    }
    Some(new)
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // By default, a line that cannot be written is complained of there, too, and that panics.
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false);
    let subscriber = subscriber.with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
