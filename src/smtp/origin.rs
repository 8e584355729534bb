//! Who a message is from, as far as it can be proved: asked when it is complete, told in its
//! Authentication-Results field, and acted upon as the author's domain wants.
use super::session::{Session, Transaction};
use super::wire::reply::{Enhanced, Reply};
use crate::config::Dmarc;
use crate::sys::{clock, random};
use crate::verify::dmarc::{Outcome, Policy};
use crate::verify::spf::{self, Sender};
use crate::verify::{self, Scan, Verdict, results};

/// What follows for a message that is taken.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The Authentication-Results field, or nothing.
    pub results: String,
    /// It belongs into Junk.
    pub junk: bool,
    /// SPF says that the sender's address is whose it says it is: reports may go there.
    pub proved: bool,
}

/// Checks a complete message. An error is the refusal.
pub(super) async fn check(
    session: &Session,
    transaction: &Transaction,
    scan: Scan,
    id: &str,
) -> Result<Origin, Reply> {
    let ctx = &session.ctx;
    let message = scan.finish();
    // Without the time, nothing has expired.
    let now = if clock::is_set() {
        u64::from(clock::now())
    } else {
        0
    };
    let sender = Sender {
        ip: session.conn.peer_ip(),
        helo: session.hello.as_ref().map_or("", |hello| &hello.name),
        from: transaction
            .sender
            .as_ref()
            .map(|sender| (sender.local(), sender.domain())),
        receiver: &ctx.config.hostname,
        now,
    };
    let dice = random::octets::<1>().map_or(0, |[octet]| octet);
    let Some(verdict) = verify::judge(&ctx.dns, &sender, &message, dice).await else {
        return Ok(Origin::default());
    };
    log::info!("[{}] {id} {}", session.conn.number(), summary(&verdict));
    let mut origin = Origin {
        results: results::field(&ctx.config.hostname, &sender, &verdict),
        junk: false,
        proved: verdict.spf.outcome == spf::Outcome::Pass && transaction.sender.is_some(),
    };
    let dmarc = &verdict.dmarc;
    // RFC 7489 §6.6.1: a message without one author fits no domain's policy.
    let put_aside = dmarc.outcome == Outcome::PermError || dmarc.policy > Policy::None;
    match ctx.config.dmarc {
        Dmarc::Ignore => {}
        // RFC 7489 §10.3
        Dmarc::Reject if dmarc.policy == Policy::Reject => {
            return Err(refused(&verdict));
        }
        Dmarc::Junk | Dmarc::Reject => origin.junk = put_aside,
    }
    Ok(origin)
}

/// What a sender hears whose message the author's domain wants refused. What that domain says of SPF is told
/// as its own words (RFC 7208 §6.2).
fn refused(verdict: &Verdict) -> Reply {
    let mut text = format!(
        "Refused by the DMARC policy of {}: neither SPF nor DKIM proves that it is theirs",
        verdict.dmarc.from.as_deref().unwrap_or_default()
    );
    if let Some(words) = &verdict.spf.explanation {
        text.push_str("; ");
        text.push_str(&verdict.spf.domain);
        text.push_str(" explains: ");
        text.push_str(words);
    }
    Reply::of(550, Enhanced(5, 7, 1), text)
}

/// One line for the log.
fn summary(verdict: &Verdict) -> String {
    let dkim: Vec<String> = verdict
        .dkim
        .iter()
        .map(|it| {
            format!(
                "{}:{}",
                it.domain.as_deref().unwrap_or("?"),
                it.outcome.word()
            )
        })
        .collect();
    format!(
        "spf={} dkim={} arc={} dmarc={}",
        verdict.spf.outcome.word(),
        if dkim.is_empty() {
            "none".into()
        } else {
            dkim.join(",")
        },
        verdict.arc.status.word(),
        verdict.dmarc.outcome.word()
    )
}
