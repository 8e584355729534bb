//! App passwords and rights on their journeys, through every protocol's wire.
mod child;
mod door;
mod far;
mod scanner;
mod scram;

use crate::harness::Server;
use pillarbox::auth::Protocols;
use pillarbox::mail::Rights;
use pillarbox::server::control::{AppAdd, Request, Verb};

/// Makes an app password as the command does; `mailboxes` is `INBOX:lr,...`. Returns the secret.
pub fn app(server: &Server, name: &str, protocols: &str, mailboxes: Option<&str>) -> String {
    app_until(server, name, protocols, mailboxes, None)
}

/// The same with an end.
fn app_until(
    server: &Server,
    name: &str,
    protocols: &str,
    mailboxes: Option<&str>,
    expires: Option<u32>,
) -> String {
    let mailbox = |item: &str| {
        let (path, rights) = item.rsplit_once(':').unwrap();
        (path.to_owned(), Rights::parse(rights).unwrap())
    };
    let add = AppAdd {
        name: name.into(),
        protocols: Protocols::parse(protocols).unwrap(),
        mailboxes: mailboxes.map(|list| list.split(',').map(mailbox).collect()),
        expires,
    };
    run(server, &add.request()).unwrap().concat()
}

fn revoke(server: &Server, name: &str) {
    run(server, &Request::new(Verb::AppRevoke, name)).unwrap();
}

fn run(server: &Server, request: &Request) -> Result<Vec<String>, String> {
    smol::block_on(request.run(server.auth(), server.mail()))
}
