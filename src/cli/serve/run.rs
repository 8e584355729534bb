//! The run of the server: from bound sockets to the end.

use super::super::create::Ready;
use crate::mail::Mail;
use crate::mail::outbound;
use crate::server::control::Control;
use crate::server::{self, Bound, Failure, Kind, Server};
use crate::sys;
use async_signal::{Signal, Signals};
use smol::future::FutureExt;
use smol::stream::StreamExt;
use std::sync::Arc;

/// From bound sockets to the end.
pub(super) async fn serve(ready: Ready, bound: Vec<Bound>, mail: Arc<Mail>) -> Result<(), Failure> {
    let mut signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup])
        .map_err(|e| Failure::new(Kind::Other, format!("cannot take signals: {e}")))?;
    let kind = if ready.self_signed {
        "self-signed"
    } else {
        "from files"
    };
    log::info!("certificate ({kind}) SHA-256 {}", ready.tls.fingerprint());
    let auth = ready.auth.clone();
    let control = Control::bind(&ready.config.db).inspect_err(|e| {
        log::warn!("no control socket: {e}; passwd works with the server down only")
    });
    let db = ready.config.db.clone();
    let (engine, beating) = (mail.clone(), mail.clone());
    let server = Server::start(bound, ready.config, mail, ready.auth, Some(ready.tls))?;
    log::info!("ready: {}", db.display());
    sys::notify::notify("READY=1");
    let controlled = async {
        if let Ok(control) = &control
            && let Err(e) = control.serve(&auth, &engine).await
        {
            log::warn!("control socket: {e}");
        }
        std::future::pending().await
    };
    let stop = wait_for_stop(&mut signals, &server);
    stop.or(controlled).or(watched(&beating)).await;
    log::info!("stopping");
    sys::notify::notify("STOPPING=1");
    drop(control);
    let hurry = async {
        while let Some(signal) = signals.next().await {
            if matches!(signal, Ok(Signal::Term | Signal::Int)) {
                return;
            }
        }
    };
    server.stop(server::PATIENCE, hurry).await;
    log::info!("stopped");
    Ok(())
}

/// Tells the service manager's watchdog that this thread and the store's writer go on.
pub(super) async fn watched(mail: &Mail) {
    let Some(every) = sys::notify::watchdog() else {
        return std::future::pending().await;
    };
    loop {
        smol::Timer::after(every).await;
        // Nothing to write: it is answered, nothing more. A store that fails is not mended by
        // starting again.
        let _ = mail.put(Vec::new()).await;
        sys::notify::notify("WATCHDOG=1");
    }
}

/// Resolves at SIGTERM or SIGINT; SIGHUP reloads the certificate and tries queued mail at once.
pub(super) async fn wait_for_stop(signals: &mut Signals, server: &Server) {
    while let Some(signal) = signals.next().await {
        match signal {
            Ok(Signal::Hup) => {
                match server.reload() {
                    Ok(()) => {
                        let shown = server
                            .tls()
                            .map(|tls| tls.fingerprint())
                            .unwrap_or_default();
                        log::info!("reloaded; certificate SHA-256 {shown}");
                    }
                    Err(e) => log::error!("not reloaded, the old certificate stays: {e}"),
                }
                outbound::retry_all();
            }
            Ok(Signal::Term | Signal::Int) => return,
            _ => {}
        }
    }
}

/// Panics go to the log like everything else, with their place.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|info| log::error!("internal error: {info}")));
}

/// Routers start without the time. Mail is served all the same.
pub(super) fn check_clock() {
    if !sys::clock::is_set() {
        log::warn!("the clock is not set: mail that comes now gets a wrong date until it is");
    }
}
