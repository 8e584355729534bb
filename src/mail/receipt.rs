//! Reports about mail that was submitted (RFC 8621 §7 `dsnBlobIds`, `mdnBlobIds`): delivery status
//! (RFC 3464) and read receipts (RFC 8098), known by the Message-ID of what they are about.
use super::records::{self, Edit};
use super::submission::{Report, Submission};
use super::{DataType, EmailId, Mail, Message, Result};
use crate::limits;
use crate::mime::{Part, header};

/// Notes a message that was filed, if it is a report about a submission. It is filed whatever happens
/// here. Reports have the null reverse-path: nothing else is to be looked at.
pub async fn arrived(mail: &Mail, email: EmailId) {
    let noted = match about(mail, email) {
        Ok(Some(report)) => note(mail, report).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        log::warn!("submission: report {email} not noted: {error}");
    }
}

/// A report, and the emails that may be what it is about.
struct About {
    report: Report,
    emails: Vec<EmailId>,
    /// Who has seen it.
    seen_by: Option<String>,
}

fn about(mail: &Mail, email: EmailId) -> Result<Option<About>> {
    if mail.records(DataType::EmailSubmission)?.is_empty() {
        return Ok(None);
    }
    let Some(message) = mail.reader()?.message(email)? else {
        return Ok(None);
    };
    let structure = message.structure();
    let root = structure.parts.first();
    if !root.is_some_and(|root| root.is("multipart", "report")) {
        return Ok(None);
    }
    let find = |all: [(&str, &str); 2]| {
        let parts = structure.parts.iter();
        let mut parts = parts.filter(|part| all.iter().any(|(main, sub)| part.is(main, sub)));
        parts.next()
    };
    let kinds = [
        "disposition-notification",
        "global-disposition-notification",
    ];
    let (mut id, mut seen_by, mut read) = (None, None, false);
    if let Some(part) = find(kinds.map(|kind| ("message", kind))) {
        read = true;
        let block = block(mail, &message, part)?;
        let field = |name: &str| header::last(&block, name).map(|it| header::text(it.value));
        id = field("Original-Message-ID");
        let kind = field("Disposition").unwrap_or_default().to_lowercase();
        let kind = kind.split_once(';').map(|(_, kind)| kind.trim().to_owned());
        if kind.is_some_and(|kind| kind.starts_with("displayed")) {
            let to = field("Final-Recipient").unwrap_or_default();
            seen_by = to
                .split_once(';')
                .map(|(_, address)| address.trim().to_owned());
        }
    } else if find(["delivery-status", "global-delivery-status"].map(|kind| ("message", kind)))
        .is_some()
    {
        let inside =
            |part: &Part| -> Option<Vec<u8>> { part.envelope.as_ref()?.message_id.clone() };
        let whole = structure.parts.iter().find_map(inside);
        id = whole.map(|id| String::from_utf8_lossy(&id).into_owned());
        let headers = [("text", "rfc822-headers"), ("message", "global-headers")];
        if let Some(part) = find(headers).filter(|_| id.is_none()) {
            let block = block(mail, &message, part)?;
            id = header::last(&block, "Message-ID").map(|field| header::text(field.value));
        }
    }
    let Some(id) = id else {
        return Ok(None);
    };
    Ok(Some(About {
        report: Report { email, read },
        emails: mail.reader()?.by_message_id(id.trim())?,
        seen_by,
    }))
}

/// The octets of a part, which are a header.
fn block(mail: &Mail, message: &Message, part: &Part) -> Result<Vec<u8>> {
    let (mut at, end) = (part.body.offset, part.body.end());
    let end = end.min(at.saturating_add(limits::VACATION_HEADER));
    let mut block = Vec::new();
    while at < end {
        match mail.reader()?.read(message, at, end - at, &mut block)? {
            0 => break,
            got => at += got,
        }
    }
    Ok(block)
}

async fn note(mail: &Mail, about: About) -> Result<()> {
    mail.write_as(0, move |txn, _anybody| {
        let kind = DataType::EmailSubmission;
        let all = records::list(txn, kind)?;
        let read = |record: &super::Record| Some((record.id, Submission::decode(&record.data)?));
        let found = all.iter().rev().filter_map(read);
        let mut found = found.filter(|(_, it)| about.emails.contains(&it.email));
        let Some((id, mut submission)) = found.next() else {
            return Ok(());
        };
        if submission.reports.len() >= limits::SUBMISSION_REPORTS {
            return Ok(());
        }
        for delivery in &mut submission.deliveries {
            let same = |by: &String| delivery.address.eq_ignore_ascii_case(by);
            delivery.displayed |= about.seen_by.as_ref().is_some_and(same);
        }
        submission.reports.push(about.report);
        records::apply(txn, kind, Edit::Update(id, submission.encode()))?;
        Ok(())
    })
    .await
}
