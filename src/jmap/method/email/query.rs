//! Email/query
use super::Answer;
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
/// q
pub async fn query(_: &mut Context, _: Args) -> Answer {
    Err(MethodError::new("unsupportedFilter"))
}
/// q
pub async fn query_changes(_: &mut Context, _: Args) -> Answer {
    Err(MethodError::new("cannotCalculateChanges"))
}
