//! TLS reports (RFC 8460): what became of TLS with each domain, counted by the day and sent to who
//! publishes `_smtp._tls`, by mail, as JSON.
//!
//! The counts are kept in the form in which they are reported, one row per day, domain and kind of
//! policy; they are written down now and then, so that a power cut costs some of a day's counts and no
//! session a commit.
use super::Queue;
use super::dane::Dane;
use super::sts::{Mode, Policy};
use crate::dns::{Data, Kind, Question};
use crate::limits;
use crate::mail::address::Address;
use crate::mail::outbound::{self, Item, Notify, Recipient, Wish};
use crate::mail::{self, Put};
use crate::mime::DateTime;
use crate::sys::{clock, random};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `tlsrpt/<day: 4 octets><kind><domain>`
const ROWS: &[u8] = b"tlsrpt/";
const DAY: u32 = 86_400;

/// A row's key and value.
type Row = (Vec<u8>, Value);

/// What was counted and is not yet written down.
#[derive(Default)]
pub(super) struct Tally {
    rows: BTreeMap<Vec<u8>, Value>,
    /// When it was written down.
    written: u32,
    /// The day up to which reports went out.
    reported: u32,
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
        if tally.rows.len() >= limits::TLS_REPORTS && !tally.rows.contains_key(&key) {
            return;
        }
        let row = tally.rows.entry(key).or_insert_with_key(|key| {
            let kept = self.mail().get(key).ok().flatten();
            let kept = kept.and_then(|row| serde_json::from_slice(&row).ok());
            kept.unwrap_or_else(|| {
                json!({ "summary": {
                    "total-successful-session-count": 0,
                    "total-failure-session-count": 0,
                } })
            })
        });
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

    /// Sends the reports of the days that are over; and says when to look again.
    pub(super) async fn report_tls(&self) -> mail::Result<Option<u32>> {
        if !self.ctx.config.tls_reports || !clock::is_set() {
            return Ok(None);
        }
        let today = clock::now() / DAY;
        let over = self.tally.borrow().reported < today;
        self.keep_counts(over).await?;
        if over {
            let mut days: BTreeMap<(u32, String), Vec<Row>> = BTreeMap::new();
            self.mail().reader()?.scan(ROWS, |key, row| {
                let parts = key
                    .strip_prefix(ROWS)
                    .and_then(|key| key.split_first_chunk());
                if let Some((day, [_, domain @ ..])) = parts
                    && u32::from_be_bytes(*day) < today
                    && let Ok(value) = serde_json::from_slice(row)
                {
                    let domain = String::from_utf8_lossy(domain).into_owned();
                    let list = days.entry((u32::from_be_bytes(*day), domain)).or_default();
                    list.push((key.to_vec(), value));
                }
                true
            })?;
            for ((day, domain), rows) in days {
                self.send_report(day, &domain, rows).await?;
            }
            self.tally.borrow_mut().reported = today;
        }
        Ok(Some((today + 1) * DAY + limits::TLS_REPORT_DELAY))
    }

    /// RFC 8460 §3: exactly one record, and of its addresses those for mail.
    async fn report_to(&self, domain: &str) -> Vec<Address> {
        let question = Question::new(&format!("_smtp._tls.{domain}"), Kind::Txt);
        let answer = self.ctx.dns.ask(&question).await;
        let mut records = answer.records().iter().filter_map(|data| match data {
            Data::Txt(text) if text.starts_with(b"v=TLSRPTv1;") => Some(text),
            _ => None,
        });
        let (Some(record), None) = (records.next(), records.next()) else {
            return Vec::new();
        };
        let record = String::from_utf8_lossy(record);
        let fields = record
            .split(';')
            .filter_map(|field| field.trim().strip_prefix("rua="));
        let all = fields.flat_map(|list| list.split(','));
        all.filter_map(|uri| Address::parse(uri.trim().strip_prefix("mailto:")?).ok())
            .filter(Address::is_ascii)
            .take(2)
            .collect()
    }

    async fn send_report(&self, day: u32, domain: &str, rows: Vec<Row>) -> mail::Result<()> {
        let puts: Vec<Put> = rows.iter().map(|(key, _)| (key.clone(), None)).collect();
        let to = self.report_to(domain).await;
        if to.is_empty() {
            return self.mail().put(puts).await;
        }
        let policies = rows.into_iter().map(|(_, row)| row).collect();
        let text = self.write_report(day, domain, &to, policies)?;
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
        self.mail().commit(commit).await?;
        log::info!("queue: a TLS report for {domain}");
        Ok(())
    }

    fn write_report(
        &self,
        day: u32,
        domain: &str,
        to: &[Address],
        policies: Vec<Value>,
    ) -> mail::Result<String> {
        let id = random::octets::<8>().map_err(|_| mail::Error::Unavailable)?;
        let id = u64::from_be_bytes(id).to_string();
        let us = self.ctx.config.domains.first().map_or("", String::as_str);
        let (start, end) = (day * DAY, (day + 1) * DAY - 1);
        let date = |second: u32| DateTime::utc(i64::from(second)).rfc3339();
        let report = json!({
            "organization-name": us,
            "date-range": { "start-datetime": date(start), "end-datetime": date(end) },
            "contact-info": format!("postmaster@{us}"),
            "report-id": format!("{id}@{us}"),
            "policies": policies,
        });
        let mut lines = String::new();
        let coded = STANDARD.encode(report.to_string());
        for line in coded.as_bytes().chunks(76) {
            lines.push_str(&String::from_utf8_lossy(line));
            lines.push_str("\r\n");
        }
        let to: Vec<String> = to.iter().map(|to| format!("<{to}>")).collect();
        // RFC 8460 §5.3
        Ok(format!(
            "From: <postmaster@{us}>\r\nTo: {to}\r\n\
             Subject: Report Domain: {domain}\r\n\tSubmitter: {us}\r\n\tReport-ID: <{id}@{us}>\r\n\
             Date: {now}\r\nMessage-ID: <{id}.tlsrpt@{us}>\r\nAuto-Submitted: auto-generated\r\n\
             TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {us}\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{id}\"\r\n\r\n\
             --{id}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             This is an aggregate TLS report from {us} about {domain}.\r\n\
             --{id}\r\nContent-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n\tfilename=\"{us}!{domain}!{start}!{end}.json\"\r\n\r\n\
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
