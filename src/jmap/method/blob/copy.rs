//! Blob/copy (RFC 8620 §6.3): with one account there is nowhere to copy from.
use super::Answer;
use crate::jmap::context::{Context, account};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;

/// Always an error: the accounts must differ, and there is one.
pub async fn copy(_: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "fromAccountId", "fromAccountNotFound")?;
    account(&mut args, "accountId", "accountNotFound")?;
    Err(MethodError::invalid(
        "fromAccountId and accountId must differ",
    ))
}
