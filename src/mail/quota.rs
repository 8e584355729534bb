//! Which limits there are, as the store was last told: they are flags, and a state that clients hold
//! has to become another one where somebody changed them.
use super::{DataType, Mail, Modseq, Result};

/// `octets (8) messages (4) modseq (8)`
const LIMITS: &[u8] = b"quota/limits";

/// Notes the limits; when the server starts.
///
/// Errors: the store's.
pub async fn note(mail: &Mail) -> Result<()> {
    let mut row = mail.quota().to_be_bytes().to_vec();
    row.extend_from_slice(&mail.message_quota().to_be_bytes());
    let kept = mail.get(LIMITS)?.unwrap_or_else(|| vec![0; 20]);
    if kept.starts_with(&row) {
        return Ok(());
    }
    mail.write(0, move |txn| {
        let modseq = txn.state.bump();
        txn.state.changed(DataType::Quota, modseq);
        row.extend_from_slice(&modseq.to_be_bytes());
        txn.put_misc(LIMITS, Some(&row))?;
        Ok(())
    })
    .await
}

/// When they last changed; 0 if never.
///
/// Errors: the store's.
pub fn noted(mail: &Mail) -> Result<Modseq> {
    let kept = mail.whole_reader()?.get(LIMITS)?.unwrap_or_default();
    Ok(kept.last_chunk().map_or(0, |at| u64::from_be_bytes(*at)))
}
