//! Core/echo (RFC 8620 §4).
use super::Answer;
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;

/// Answers what it was given.
pub async fn echo(_: &mut Context, args: Args) -> Answer {
    Ok(args.into_map())
}
