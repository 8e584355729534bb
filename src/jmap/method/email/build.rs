//! Making a message from an Email object (RFC 8621 §4.6).
use serde_json::Value;

use crate::jmap::context::Context;
use crate::jmap::wire::error::SetError;
use crate::mail::Added;

/// Makes the email that `object` describes.
pub async fn create(_: &Context, _: Value) -> Result<Added, SetError> {
    Err(SetError::new("forbidden"))
}
