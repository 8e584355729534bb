//! TLS reports (RFC 8460): what became of TLS with each domain, counted by the day and sent to who
//! publishes `_smtp._tls`, as JSON under gzip, by mail or to an `https:` URL, some hours behind midnight.
//!
//! The counts are kept in the form in which they are reported, one row per day, domain and kind of
//! policy; they are written down now and then, so that a power cut costs some of a day's counts and no
//! session a commit.
use super::Queue;
use super::dane::Dane;
use super::sts::{Mode, Policy};
use crate::dns::{Data, Found, Kind, Question};
use crate::limits;
use crate::mail::address::Address;
use crate::mail::outbound::{self, Item, Notify, Recipient, Wish};
use crate::mail::{self, Put};
use crate::mime::DateTime;
use crate::net::{Target, fetch, tls};
use crate::sys::{clock, random, task};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use smol::LocalExecutor;
use std::io::Write;
use std::rc::Rc;

/// `tlsrpt/<day: 4 octets><kind><domain>`
const ROWS: &[u8] = b"tlsrpt/";
const DAY: u32 = 86_400;

/// A row's key and value.
type Row = (Vec<u8>, Value);

/// What was counted and is not yet written down.
#[derive(Default)]
pub(super) struct Tally {
    /// At most [`limits::TLS_REPORTS`].
    rows: Vec<Row>,
    /// When it was written down.
    written: u32,
    /// When reports are due. At the start they are: a start is at no certain hour.
    due: u32,
    /// They are on their way.
    busy: bool,
}

/// The policy that was applied, as it is reported (RFC 8460 §4.4): TLSA records, or those of MTA-STS, or
/// none.
pub(super) fn applied(domain: &str, dane: Option<&Dane>, policy: Option<&Policy>) -> Value {
    let mut strings = Vec::new();
    let mut mx = Vec::new();
    let kind = match (dane, policy) {
        (Some(dane), _) => {
            for tlsa in &dane.records {
                let mut text = format!("{} {} {} ", tlsa.usage, tlsa.selector, tlsa.matching);
                for octet in &tlsa.data {
                    text.push_str(&format!("{octet:02x}"));
                }
                strings.push(text);
            }
            "tlsa"
        }
        (None, Some(policy)) => {
            let mode = if policy.mode == Mode::Enforce {
                "enforce"
            } else {
                "testing"
            };
            strings.push("version: STSv1".to_owned());
            strings.push(format!("mode: {mode}"));
            strings.extend(policy.mx.iter().map(|mx| format!("mx: {mx}")));
            strings.push(format!("max_age: {}", policy.max_age));
            mx.clone_from(&policy.mx);
            "sts"
        }
        (None, None) => "no-policy-found",
    };
    let mut policy = json!({ "policy-type": kind, "policy-domain": domain });
    if !strings.is_empty() {
        policy["policy-string"] = strings.into();
    }
    if !mx.is_empty() {
        policy["mx-host"] = mx.into();
    }
    policy
}

/// The result type of a failed session (RFC 8460 §4.3), from what TLS said of it.
pub(super) fn result(why: &str) -> &'static str {
    const WORDS: [(&str, &str); 6] = [
        ("does not offer STARTTLS", "starttls-not-supported"),
        ("does not answer for _", "dnssec-invalid"),
        ("NotValidForName", "certificate-host-mismatch"),
        ("not valid for name", "certificate-host-mismatch"),
        ("xpired", "certificate-expired"),
        ("UnknownIssuer", "certificate-not-trusted"),
    ];
    let word = WORDS.into_iter().find(|(word, _)| why.contains(word));
    word.map_or("validation-failure", |(_, result)| result)
}

fn bump(count: &mut Value) {
    *count = (count.as_u64().unwrap_or(0) + 1).into();
}

impl Queue {
    /// Counts a session with a host under a policy; `failed` is the result type.
    pub(super) fn count(&self, policy: &Value, mx: &str, ip: &str, failed: Option<&str>) {
        if !self.ctx.config.tls_reports || !clock::is_set() {
            return;
        }
        let text = |name: &str| policy[name].as_str().unwrap_or_default().to_owned();
        let kind = text("policy-type").bytes().next().unwrap_or(b'-');
        let day = (clock::now() / DAY).to_be_bytes();
        let key = [ROWS, &day, &[kind], text("policy-domain").as_bytes()].concat();
        let mut tally = self.tally.borrow_mut();
        let known = tally.rows.iter().position(|row| row.0 == key);
        let at = known.unwrap_or(tally.rows.len());
        if at >= limits::TLS_REPORTS {
            return;
        }
        if known.is_none() {
            let kept = self.mail().get(&key).ok().flatten();
            let kept = kept.and_then(|row| serde_json::from_slice(&row).ok());
            let row = kept.unwrap_or_else(|| {
                json!({ "summary": {
                    "total-successful-session-count": 0,
                    "total-failure-session-count": 0,
                } })
            });
            tally.rows.push((key, row));
        }
        let Some((_, row)) = tally.rows.get_mut(at) else {
            return;
        };
        row["policy"] = policy.clone();
        let Some(result) = failed else {
            bump(&mut row["summary"]["total-successful-session-count"]);
            return;
        };
        bump(&mut row["summary"]["total-failure-session-count"]);
        let details = &mut row["failure-details"];
        if details.is_null() {
            *details = json!([]);
        }
        let Some(details) = details.as_array_mut() else {
            return;
        };
        let room = details.len() < limits::TLS_REPORT_FAILURES;
        let same = |it: &&mut Value| {
            it["result-type"] == result
                && it["receiving-mx-hostname"] == mx
                && it["receiving-ip"] == ip
        };
        match details.iter_mut().find(same) {
            Some(one) => bump(&mut one["failed-session-count"]),
            None if room => details.push(json!({
                "result-type": result,
                "receiving-mx-hostname": mx,
                "receiving-ip": ip,
                "failed-session-count": 1,
            })),
            None => {}
        }
    }

    /// Writes the counts down, if it is time or `now`.
    pub(super) async fn keep_counts(&self, now: bool) -> mail::Result<()> {
        let mut puts: Vec<Put> = Vec::new();
        {
            let mut tally = self.tally.borrow_mut();
            let at = clock::now();
            if tally.rows.is_empty() || !now && at.abs_diff(tally.written) < limits::TLS_REPORT_KEEP
            {
                return Ok(());
            }
            tally.written = at;
            for (key, row) in std::mem::take(&mut tally.rows) {
                puts.push((key, serde_json::to_vec(&row).ok()));
            }
        }
        self.mail().put(puts).await
    }

    /// Sends the reports of the days that are over, beside the mail; and says when to look again.
    pub(super) async fn report_tls(
        self: &Rc<Self>,
        executor: &LocalExecutor<'static>,
    ) -> mail::Result<Option<u32>> {
        if !self.ctx.config.tls_reports || !clock::is_set() {
            return Ok(None);
        }
        let (due, busy) = {
            let tally = self.tally.borrow();
            (tally.due, tally.busy)
        };
        let over = clock::now() >= due && !busy;
        self.keep_counts(over).await?;
        if !over {
            return Ok((!busy).then_some(due));
        }
        self.tally.borrow_mut().busy = true;
        let queue = self.clone();
        let sending = async move {
            let again = clock::now().saturating_add(limits::TLS_REPORT_RETRY);
            let due = queue.send_reports().await.unwrap_or_else(|error| {
                log::warn!("queue: TLS reports wait: {error}");
                again
            });
            {
                let mut tally = queue.tally.borrow_mut();
                (tally.due, tally.busy) = (due, false);
            }
            outbound::ring();
        };
        task::spawn(executor, Box::pin(sending));
        Ok(None)
    }

    /// Gives the time of the next ones.
    async fn send_reports(&self) -> mail::Result<u32> {
        let now = clock::now();
        let today = now / DAY;
        let mut over: Vec<((u32, String), Row)> = Vec::new();
        self.mail().reader()?.scan(ROWS, |key, row| {
            let parts = key
                .strip_prefix(ROWS)
                .and_then(|key| key.split_first_chunk());
            if let Some((day, [_, domain @ ..])) = parts
                && u32::from_be_bytes(*day) < today
                && let Ok(value) = serde_json::from_slice(row)
            {
                let domain = String::from_utf8_lossy(domain).into_owned();
                let report = (u32::from_be_bytes(*day), domain);
                over.push((report, (key.to_vec(), value)));
            }
            true
        })?;
        let mut all = true;
        while let Some((report, _)) = over.first() {
            let report = report.clone();
            let (rows, rest): (Vec<_>, _) = over.into_iter().partition(|row| row.0 == report);
            over = rest;
            let (day, domain) = report;
            let (mut puts, mut policies): (Vec<Put>, _) = (Vec::new(), Vec::new());
            for (_, (key, row)) in rows {
                puts.push((key, None));
                policies.push(row);
            }
            let sent = self.send_report(day, &domain, policies, &mut puts).await?;
            // RFC 8460 §5.5: tried for a day.
            if !sent && day + 2 >= today {
                all = false;
            } else if !puts.is_empty() {
                self.mail().put(puts).await?;
            }
        }
        // RFC 8460 §4.1: not all the world at midnight.
        let dice = random::octets::<4>().map_or(0, u32::from_be_bytes);
        Ok(match all {
            true => (today + 1) * DAY + 1 + dice % limits::TLS_REPORT_DELAY,
            false => now.saturating_add(limits::TLS_REPORT_RETRY),
        })
    }

    /// RFC 8460 §3: exactly one record. `None`: the DNS does not answer.
    async fn report_to(&self, domain: &str) -> Option<(Vec<Address>, Vec<Target>)> {
        let question = Question::new(&format!("_smtp._tls.{domain}"), Kind::Txt);
        let answer = self.ctx.dns.ask(&question).await;
        if answer.found == Found::Failed {
            return None;
        }
        let mut records = answer.records().iter().filter_map(|data| match data {
            Data::Txt(text) if text.starts_with(b"v=TLSRPTv1;") => Some(text),
            _ => None,
        });
        let (mut mails, mut posts) = (Vec::new(), Vec::new());
        let (Some(record), None) = (records.next(), records.next()) else {
            return Some((mails, posts));
        };
        let record = String::from_utf8_lossy(record);
        let fields = record
            .split(';')
            .filter_map(|field| field.trim().strip_prefix("rua="));
        for uri in fields.flat_map(|list| list.split(',')) {
            let uri = uri.trim();
            if let Some(address) = uri.strip_prefix("mailto:") {
                let address = address.split('?').next().unwrap_or_default();
                mails.extend(Address::parse(address).ok().filter(Address::is_ascii));
            } else {
                posts.extend(Target::parse(uri));
            }
        }
        mails.truncate(2);
        posts.truncate(2);
        Some((mails, posts))
    }

    /// Whether the report is on its way, or nobody wants it; the rows of it are for `puts`.
    async fn send_report(
        &self,
        day: u32,
        domain: &str,
        policies: Vec<Value>,
        puts: &mut Vec<Put>,
    ) -> mail::Result<bool> {
        let Some((mails, posts)) = self.report_to(domain).await else {
            return Ok(false);
        };
        if mails.is_empty() && posts.is_empty() {
            return Ok(true);
        }
        let packed = self.report_json(day, domain, policies);
        let packed = packed.ok_or(mail::Error::Unavailable)?;
        // RFC 8460 §3: it is enough that one of them has it.
        let mut sent = false;
        for target in &posts {
            match self.post(target, &packed).await {
                Ok(()) => sent = true,
                Err(why) => log::warn!("queue: no TLS report to {}: {why}", target.origin()),
            }
        }
        if !mails.is_empty() {
            let text = self.write_report(day, domain, &mails, &packed)?;
            self.mail_report(text, mails, std::mem::take(puts)).await?;
            sent = true;
        }
        if sent {
            log::info!("queue: a TLS report for {domain}");
        }
        Ok(sent)
    }

    /// RFC 8460 §5.4. Its certificate may be what the report is about (§3).
    async fn post(&self, target: &Target, packed: &[u8]) -> Result<(), String> {
        let config = &self.ctx.config;
        let all = match target.literal() {
            Some(address) => vec![address],
            None => self.ctx.dns.addresses(&target.host).await.found,
        };
        // Another domain says where: what permits our own user's push services does not permit it.
        let address = target.choose(&all, config.tls_reports_private);
        let address = address.map_err(|_| "it has no public address")?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: pillarbox\r\nConnection: close\r\n\
             Content-Type: application/tlsrpt+gzip\r\nContent-Length: {}\r\n\r\n",
            target.path,
            target.authority(),
            packed.len(),
        );
        let request = [head.as_bytes(), packed].concat();
        let tls = tls::anyone()?;
        let answer = fetch::exchange(
            &config.out,
            address,
            &target.host,
            Some(&tls),
            &request,
            true,
        )
        .await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.get(9) {
            Some(b'2') if answer.starts_with(b"HTTP/1.") => Ok(()),
            _ => Err("it was not taken".into()),
        }
    }

    async fn mail_report(
        &self,
        text: String,
        to: Vec<Address>,
        puts: Vec<Put>,
    ) -> mail::Result<()> {
        let mut writer = self.mail().body(None)?;
        writer.push(text.as_bytes()).await?;
        let staged = writer.finish(&[]).await?;
        let item = Item::new(clock::now())?;
        // Nobody here wants to hear of its fate.
        let recipient = |address| Recipient {
            address,
            notify: Some(Notify::default()),
            orcpt: None,
        };
        let to = to.into_iter().map(recipient).collect();
        // RFC 8460 §3: however bad its TLS.
        let commit = outbound::own(item, staged, Wish::Optional, to, puts);
        self.mail().commit(commit).await.map(drop)
    }

    /// Under whose name we report.
    fn reporter(&self) -> &str {
        self.ctx.config.domains.first().map_or("", String::as_str)
    }

    /// The report (RFC 8460 §4.4) under gzip.
    fn report_json(&self, day: u32, domain: &str, policies: Vec<Value>) -> Option<Vec<u8>> {
        let us = self.reporter();
        let (start, end) = (day * DAY, (day + 1) * DAY - 1);
        let date = |second: u32| DateTime::utc(i64::from(second)).rfc3339();
        let report = json!({
            "organization-name": us,
            "date-range": { "start-datetime": date(start), "end-datetime": date(end) },
            "contact-info": format!("postmaster@{us}"),
            "report-id": format!("{start}.{domain}@{us}"),
            "policies": policies,
        });
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(report.to_string().as_bytes()).ok()?;
        encoder.finish().ok()
    }

    fn write_report(
        &self,
        day: u32,
        domain: &str,
        to: &[Address],
        packed: &[u8],
    ) -> mail::Result<String> {
        let id = random::octets::<8>().map_err(|_| mail::Error::Unavailable)?;
        let id = u64::from_be_bytes(id).to_string();
        let us = self.reporter();
        let (start, end) = (day * DAY, (day + 1) * DAY - 1);
        let mut lines = String::new();
        for line in STANDARD.encode(packed).as_bytes().chunks(76) {
            lines.push_str(&String::from_utf8_lossy(line));
            lines.push_str("\r\n");
        }
        let to: Vec<String> = to.iter().map(|to| format!("<{to}>")).collect();
        // RFC 8460 §5.3
        Ok(format!(
            "From: <postmaster@{us}>\r\nTo: {to}\r\n\
             Subject: Report Domain: {domain}\r\n\tSubmitter: {us}\r\n\tReport-ID: <{start}.{domain}@{us}>\r\n\
             Date: {now}\r\nMessage-ID: <{id}.tlsrpt@{us}>\r\nAuto-Submitted: auto-generated\r\n\
             TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {us}\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{id}\"\r\n\r\n\
             --{id}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             This is an aggregate TLS report from {us} about {domain}.\r\n\
             --{id}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n\tfilename=\"{us}!{domain}!{start}!{end}.json.gz\"\r\n\r\n\
             {lines}--{id}--\r\n",
            to = to.join(", "),
            now = DateTime::utc(i64::from(clock::now())).mail(),
        ))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn results() {
        for (why, result) in [
            (
                "the server does not offer STARTTLS",
                "starttls-not-supported",
            ),
            (
                "TLS: invalid peer certificate: UnknownIssuer",
                "certificate-not-trusted",
            ),
            (
                "TLS: invalid peer certificate: Expired",
                "certificate-expired",
            ),
            (
                "TLS: certificate not valid for name \"a\"",
                "certificate-host-mismatch",
            ),
            ("TLS: something", "validation-failure"),
        ] {
            assert_eq!(super::result(why), result, "{why}");
        }
    }
}
